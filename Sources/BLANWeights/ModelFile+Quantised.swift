import BLANNetwork
import BLANTensors

/// What a quantised model has beside its network's tensors: 8-bit weights with a scale of each output channel, and the
/// ranges that calibration measured.
extension ModelFile {
  static func isQuantisation(_ name: String, of known: Set<String>) -> Bool {
    [Parameter.scaleSuffix, Parameter.rangesSuffix].contains { suffix in
      name.hasSuffix(suffix) && known.contains(String(name.dropLast(suffix.count)))
    }
  }

  /// 8-bit weights all have scales and nothing else has; ranges are those of all convolutions, or of none; all numbers are sensible.
  ///
  /// - Returns: whether there are ranges.
  static func checkQuantised(
    _ file: SafetensorsFile, _ description: ModelDescription, _ parameters: [Parameter]
  ) throws -> Bool {
    for parameter in parameters {
      let name = parameter.name + Parameter.scaleSuffix
      if file.tensors[parameter.name]?.type == .int8 {
        try checkNumbers(file, name, shape: [parameter.shape[0]])
      } else if file.tensors[name] != nil {
        throw BLANError.format("\(file.name) has \"\(name)\", but \"\(parameter.name)\" is not stored in 8 bits")
      }
    }
    let convolutions = Network(description.configuration).convolutions
    let stored = file.tensors.keys.filter { $0.hasSuffix(Parameter.rangesSuffix) }
    guard !stored.isEmpty || description.precision == .int8 else { return false }
    let missing = convolutions.map(\.ranges).filter { file.tensors[$0] == nil }
    guard missing.isEmpty else {
      throw BLANError.format("\(file.name) lacks \(list(missing)), which computing in int8 needs")
    }
    let expected = Set(convolutions.map(\.ranges))
    if let other = stored.sorted().first(where: { !expected.contains($0) }) {
      throw BLANError.format("\(file.name) has \"\(other)\": ranges belong to convolutions alone")
    }
    for convolution in convolutions {
      try checkNumbers(file, convolution.ranges, shape: convolution.rangesShape)
    }
    return true
  }

  private static func checkNumbers(_ file: SafetensorsFile, _ name: String, shape: [Int]) throws {
    guard file.tensors[name] != nil else { throw BLANError.format("\(file.name) lacks \"\(name)\"") }
    try file.withTensor(name, shape: shape) { values in
      guard let index = values.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) else { return }
      throw BLANError.format(
        "\(file.name): tensor \"\(name)\" has \(values[index]) at \(index); expected finite numbers from 0")
    }
  }

  /// Weights stored in 8 bits, as floats.
  func withQuantised<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard let stored = file.tensors[name]?.shape, stored == shape, let outputs = shape.first, outputs > 0 else {
      throw BLANError.shape("\(file.name): tensor \"\(name)\" has not the shape \(shape)")
    }
    let count = shape.reduce(1, *)
    let row = count / outputs
    let floats = try AlignedBuffer<Float>(count: count, purpose: name)
    try file.withTensor(name + Parameter.scaleSuffix, shape: [outputs]) { scales in
      try file.withBytes(name, type: .int8) { bytes in
        for (index, byte) in bytes.enumerated() {
          floats.pointer[index] = Float(Int8(bitPattern: byte)) * scales[index / row]
        }
      }
    }
    return try body(UnsafeBufferPointer(floats.elements))
  }

  /// Writes a quantised model, without training heads, atomically.
  ///
  /// - Parameters:
  ///   - precision: `.bfloat16` or `.int8`; what the file will ask to be computed with.
  ///   - ranges: by name, see `Convolution.ranges`; written for `.int8` only, which needs those of all convolutions.
  public func writeQuantised(_ precision: Precision, ranges: [String: [Float]], to path: String) throws {
    var new = description
    new.precision = precision
    let network = Network(description.configuration)
    let convolutions = Dictionary(network.convolutions.map { ($0.weight, $0) }) { first, _ in first }
    let linear = network.linearWeights
    let tensors = try network.parameters.flatMap { parameter -> [SafetensorsWriter.Tensor] in
      let convolution = convolutions[parameter.name]
      guard convolution != nil || linear.contains(parameter.name) else {
        return [SafetensorsWriter.Tensor(parameter.name, from: self, shape: parameter.shape)]
      }
      guard precision == .int8 else {
        return [SafetensorsWriter.Tensor(parameter.name, from: self, shape: parameter.shape, as: .bfloat16)]
      }
      var quantised = try quantise(parameter)
      if let convolution {
        let values = ranges[convolution.ranges] ?? []
        quantised.append(SafetensorsWriter.Tensor(convolution.ranges, floats: values, shape: convolution.rangesShape))
      }
      return quantised
    }
    try SafetensorsWriter.write(tensors, metadata: metadata(describedBy: new), to: path)
  }

  /// A weight in 8 bits, and the scale of each output channel.
  private func quantise(_ parameter: Parameter) throws -> [SafetensorsWriter.Tensor] {
    let outputs = parameter.shape[0]
    let row = parameter.count / max(outputs, 1)
    let scales = try withTensor(parameter.name, shape: parameter.shape) { values in
      guard values.allSatisfy(\.isFinite) else {
        throw BLANError.format("\(file.name): tensor \"\(parameter.name)\" has numbers that are not finite")
      }
      return (0..<outputs).map { output in
        values[output * row..<(output + 1) * row].reduce(Float(0)) { max($0, abs($1)) } / 127
      }
    }
    let weights = SafetensorsWriter.Tensor(parameter.name, type: .int8, shape: parameter.shape) { sink in
      try self.withTensor(parameter.name, shape: parameter.shape) { values in
        let bytes = values.enumerated().map { index, value -> Int8 in
          let scale = scales[index / row]
          return scale > 0 ? Int8(min(max((value / scale).rounded(.toNearestOrEven), -127), 127)) : 0
        }
        try bytes.withUnsafeBytes(sink)
      }
    }
    return [
      weights,
      SafetensorsWriter.Tensor(parameter.name + Parameter.scaleSuffix, floats: scales, shape: [outputs]),
    ]
  }
}

extension SafetensorsWriter.Tensor {
  fileprivate init(_ name: String, floats: [Float], shape: [Int]) {
    self.init(name, type: .float32, shape: shape) { sink in try floats.withUnsafeBytes(sink) }
  }
}

extension Parameter {
  var isWeight: Bool {
    if case .weight = role { return true }
    return false
  }
}

extension Network {
  /// Convolutions that prediction runs; calibration measures their inputs.
  var convolutions: [Convolution] {
    graph.nodes.compactMap { node in
      guard case .convolution(let convolution) = node.operation else { return nil }
      return convolution
    }
  }

  var linearWeights: Set<String> {
    Set(
      graph.nodes.compactMap { node in
        if case .linear(let layer) = node.operation { return layer.weight }
        return nil
      })
  }
}

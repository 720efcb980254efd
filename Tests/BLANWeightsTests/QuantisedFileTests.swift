import BLANNetwork
import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANWeights

/// 8-bit weights and ranges in files, and what is refused of them.
@Suite struct QuantisedFileTests {
  private let folder: TemporaryFolder
  private let configuration: Configuration
  private let model: ModelFile

  init() throws {
    folder = try TemporaryFolder()
    configuration = try Configuration(inputSize: 64, width: 4, attributes: FixtureWeights.attributes(2))
    try ModelFile.write(
      ModelDescription(configuration: configuration, isTrained: true),
      from: FixtureWeights(Network(configuration), seed: 3), to: folder.file("f32"))
    model = try ModelFile(path: folder.file("f32"))
    let ranges = Network(configuration).convolutions.map { convolution in
      (convolution.ranges, [Float](repeating: 1, count: convolution.rangesShape.reduce(1, *)))
    }
    try model.writeQuantised(.int8, ranges: Dictionary(uniqueKeysWithValues: ranges), to: folder.file("int8"))
  }

  @Test func weightsComeBackWithinHalfAStep() throws {
    let quantised = try ModelFile(path: folder.file("int8"))
    #expect(quantised.hasRanges && quantised.description.precision == .int8)
    let name = "encoder.layer2.0.conv1.weight"
    let shape = [8, 4, 3, 3]
    let given = try model.withTensor(name, shape: shape) { Array($0) }
    let stored = try quantised.withTensor(name, shape: shape) { Array($0) }
    for output in 0..<8 {
      let row = output * 36..<(output + 1) * 36
      let step = (given[row].map(abs).max() ?? 0) / 127
      for index in row { #expect(abs(given[index] - stored[index]) <= step * 0.5001) }
      #expect(row.contains { given[$0] != stored[$0] })
    }
    #expect(try quantised.file.type(of: "attention.0.spatial.weight") == .float32)
    #expect(throws: BLANError.self) { try quantised.withTensor(name, shape: [4, 8, 3, 3]) { _ in } }
  }

  @Test func bfloat16FilesSayWhatTheyAre() throws {
    try model.writeQuantised(.bfloat16, ranges: [:], to: folder.file("bf16"))
    let file = try ModelFile(path: folder.file("bf16"))
    #expect(file.description.precision == .bfloat16 && !file.hasRanges)
    #expect(try file.file.type(of: "decoder.block1.0.conv1.weight") == .bfloat16)
    #expect(try file.file.type(of: "classifiers.0.fc1.weight") == .bfloat16)
  }

  /// What the quantised model is refused with after a change to its tensors.
  private func refusal(
    precision: Precision = .int8, _ change: (inout [SafetensorsWriter.Tensor]) -> Void
  ) throws -> BLANError? {
    let file = try SafetensorsFile(path: folder.file("int8"))
    var tensors = file.tensors.keys.sorted().compactMap { name in
      file.tensors[name].map { tensor in
        SafetensorsWriter.Tensor(name, type: tensor.type, shape: tensor.shape) { sink in
          try file.withBytes(name, type: tensor.type, sink)
        }
      }
    }
    change(&tensors)
    let description = try ModelDescription(configuration: configuration, isTrained: true, precision: precision)
    try SafetensorsWriter.write(tensors, metadata: description.metadata(), to: folder.file("m"))
    do {
      _ = try ModelFile(path: folder.file("m"))
      return nil
    } catch { return error as? BLANError }
  }

  private func floats(_ name: String, _ values: [Float], shape: [Int]? = nil) -> SafetensorsWriter.Tensor {
    SafetensorsWriter.Tensor(name, type: .float32, shape: shape ?? [values.count]) { sink in
      try values.withUnsafeBytes(sink)
    }
  }

  private func replacing(_ tensor: SafetensorsWriter.Tensor) -> (inout [SafetensorsWriter.Tensor]) -> Void {
    { tensors in
      tensors.removeAll { $0.name == tensor.name }
      tensors.append(tensor)
    }
  }

  private static let weight = "encoder.layer1.0.conv1.weight"

  @Test func whatIsWholeIsRead() throws {
    #expect(try refusal { _ in } == nil)
    #expect(try refusal(precision: .float32) { _ in } == nil)
  }

  @Test func scalesThatAreMissingOrMakeNoSenseAreNamed() throws {
    let name = Self.weight + ".scale"
    let missing = try refusal { $0.removeAll { $0.name == name } }
    #expect(missing?.kind == .format && missing?.message.contains("\"\(name)\"") == true)
    let misshapen = try refusal(replacing(floats(name, [1, 2])))
    #expect(misshapen?.kind == .shape && misshapen?.message.contains("\"\(name)\"") == true)
    for bad in [Float.nan, .infinity, -1] {
      let error = try refusal(replacing(floats(name, [1, 1, bad, 1])))
      #expect(error?.kind == .format, "\(bad)")
      #expect(error?.message.contains("\"\(name)\" has \(bad) at 2") == true, "\(bad)")
    }
    let stray = try refusal { $0.append(floats("attention.0.spatial.weight.scale", [1])) }
    #expect(stray?.kind == .format && stray?.message.contains("not stored in 8 bits") == true)
    let unknown = try refusal { $0.append(floats("encoder.other.scale", [1])) }
    #expect(unknown?.message.contains("\"encoder.other.scale\"") == true)
  }

  @Test func rangesThatAreMissingOrMakeNoSenseAreNamed() throws {
    let name = Self.weight + ".ranges"
    for precision in [Precision.int8, .float32] {
      let missing = try refusal(precision: precision) { $0.removeAll { $0.name == name } }
      #expect(missing?.kind == .format && missing?.message.contains("\"\(name)\"") == true)
    }
    let all = try refusal { $0.removeAll { $0.name.hasSuffix(".ranges") } }
    #expect(all?.message.contains("int8") == true)
    #expect(try refusal(precision: .float32) { $0.removeAll { $0.name.hasSuffix(".ranges") } } == nil)
    let misshapen = try refusal(replacing(floats(name, [Float](repeating: 1, count: 64), shape: [16, 4])))
    #expect(misshapen?.kind == .shape)
    var values = [Float](repeating: 1, count: 68)
    values[9] = .nan
    let bad = try refusal(replacing(floats(name, values, shape: [17, 4])))
    #expect(bad?.kind == .format && bad?.message.contains("at 9") == true)
    let stray = try refusal { $0.append(floats("classifiers.0.fc1.weight.ranges", [1, 1, 1], shape: [1, 3])) }
    #expect(stray?.message.contains("\"classifiers.0.fc1.weight.ranges\"") == true)
  }

  @Test func weightsAloneAreStoredInEightBits() throws {
    let name = "encoder.bn1.bias"
    let error = try refusal(
      replacing(
        SafetensorsWriter.Tensor(name, type: .int8, shape: [4]) { sink in
          try [UInt8](repeating: 1, count: 4).withUnsafeBytes(sink)
        }))
    #expect(error?.kind == .format && error?.message.contains("I8") == true)
  }

  @Test func anUnknownPrecisionIsNotSupported() throws {
    let text = try model.description.json()
    let metadata = [
      "format": "blan",
      ModelDescription.configurationKey: text.replacing(
        "{\"attention\"", with: "{\"precision\":\"int4\",\"attention\""),
    ]
    let error = #expect(throws: BLANError.self) { _ = try ModelDescription(metadata: metadata, file: "it") }
    #expect(error?.kind == .unsupported && error?.message.contains("int4") == true)
  }

  @Test func weightsThatAreNotFiniteAreNotQuantised() throws {
    let source = try FixtureWeights(Network(configuration), seed: 3)
    let tensors = Network(configuration).parameters.map { parameter in
      guard parameter.name == Self.weight else {
        return SafetensorsWriter.Tensor(parameter.name, from: source, shape: parameter.shape)
      }
      return floats(parameter.name, [Float](repeating: .nan, count: parameter.count), shape: parameter.shape)
    }
    let description = try ModelDescription(configuration: configuration, isTrained: true)
    try SafetensorsWriter.write(tensors, metadata: description.metadata(), to: folder.file("nan"))
    let file = try ModelFile(path: folder.file("nan"))
    let error = #expect(throws: BLANError.self) {
      try file.writeQuantised(.int8, ranges: [:], to: folder.file("never"))
    }
    #expect(error?.message.contains(Self.weight) == true)
  }
}

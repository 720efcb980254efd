import BLANNetwork
import BLANTensors

/// A model's file: what it says of itself and its tensors, which are those of its network and no others.
public final class ModelFile: TensorSource, Sendable {
  public let description: ModelDescription
  /// `blan.config` as it stands in the file.
  public let configurationText: String
  /// True when the reconstruction and LMIM heads are in the file, so that training can go on with them.
  public let hasTrainingHeads: Bool
  /// The texts beside the tensors, `format` and `blan.config` among them.
  public var metadata: [String: String] { file.metadata }
  /// True when the ranges of all convolutions' inputs are in the file, so that it can be computed with in int8.
  public let hasRanges: Bool
  let file: SafetensorsFile
  /// What errors call the file.
  public var name: String { file.name }

  public convenience init(path: UnsafePointer<CChar>) throws { try self.init(SafetensorsFile(path: path)) }

  /// Reads from memory, which must stay as it is for the lifetime of this object.
  public convenience init(borrowing bytes: UnsafeRawBufferPointer) throws {
    try self.init(SafetensorsFile(borrowing: bytes))
  }

  private init(_ file: SafetensorsFile) throws {
    self.file = file
    description = try ModelDescription(metadata: file.metadata, file: file.name)
    configurationText = file.metadata[ModelDescription.configurationKey] ?? ""
    let parameters = Network(description.configuration, purpose: .training).parameters
    hasTrainingHeads = try Self.check(file, parameters)
    hasRanges = try Self.checkQuantised(file, description, parameters)
  }

  /// Every tensor of prediction is there with its shape, those of training are all there or none, and nothing else is.
  private static func check(_ file: SafetensorsFile, _ parameters: [Parameter]) throws -> Bool {
    let missing = parameters.filter { file.tensors[$0.name] == nil }
    let needed = missing.filter { !$0.isTrainingOnly }
    guard needed.isEmpty else { throw BLANError.format("\(file.name) lacks \(list(needed.map(\.name)))") }
    let trainingOnly = parameters.filter(\.isTrainingOnly)
    guard missing.isEmpty || missing.count == trainingOnly.count else {
      throw BLANError.format(
        "\(file.name) has some tensors of the training heads but lacks \(list(missing.map(\.name)))")
    }
    for parameter in parameters {
      guard let tensor = file.tensors[parameter.name] else { continue }
      guard tensor.shape == parameter.shape else {
        throw BLANError.shape(
          "\(file.name): tensor \"\(parameter.name)\" has shape \(tensor.shape); expected \(parameter.shape)")
      }
      guard tensor.type.isFloatingPoint || tensor.type == .int8 && parameter.isWeight else {
        throw BLANError.format(
          "\(file.name): tensor \"\(parameter.name)\" has elements of type \(tensor.type.rawValue), not floats")
      }
    }
    let known = Set(parameters.map(\.name))
    let unknown = file.tensors.keys.filter {
      !known.contains($0) && !$0.hasSuffix(".num_batches_tracked") && !isQuantisation($0, of: known)
    }
    guard unknown.isEmpty else {
      throw BLANError.format("\(file.name) has tensors that its network does not: \(list(unknown.sorted()))")
    }
    return !trainingOnly.isEmpty && missing.isEmpty
  }

  /// The first few of a list of tensor names.
  static func list(_ names: [String]) -> String {
    let shown = names.prefix(3).map { "\"\($0.prefix(80))\"" }.joined(separator: ", ")
    return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
  }

  /// The network that prediction runs, with what the file says of itself, as JSON for other programs.
  public func graphJSON() throws -> String { try GraphDescription(self).json() }

  public func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard file.tensors[name]?.type == .int8 else { return try file.withTensor(name, shape: shape, body) }
    return try withQuantised(name, shape: shape, body)
  }

  /// Writes a model atomically.
  ///
  /// - Parameters:
  ///   - source: gives every tensor of the network, in f32.
  ///   - type: how tensors are stored; batch-norm statistics and biases stay f32, they are few and sensitive.
  ///   - trainingHeads: whether the reconstruction and LMIM heads are stored too.
  public static func write(
    _ description: ModelDescription, from source: some TensorSource, to path: String, type: ElementType = .float32,
    trainingHeads: Bool = false
  ) throws {
    var description = description
    description.precision = .float32
    let network = Network(description.configuration, purpose: trainingHeads ? .training : .inference)
    let tensors = network.parameters.map { parameter in
      SafetensorsWriter.Tensor(
        parameter.name, from: source, shape: parameter.shape, as: parameter.isWeight ? type : .float32)
    }
    try SafetensorsWriter.write(tensors, metadata: description.metadata(), to: path)
  }
}

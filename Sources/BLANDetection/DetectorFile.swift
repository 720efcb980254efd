import BLANTensors
import BLANWeights

/// A detector's file: the tensors of the three networks and no others, checked.
public final class DetectorFile: TensorSource, Sendable {
  /// `format` of the file's metadata.
  public static let format = "blan.mtcnn"

  private let file: SafetensorsFile

  public convenience init(path: UnsafePointer<CChar>) throws { try self.init(SafetensorsFile(path: path)) }

  /// Reads from memory, which must stay as it is for the lifetime of this object.
  public convenience init(borrowing bytes: UnsafeRawBufferPointer) throws {
    try self.init(SafetensorsFile(borrowing: bytes, name: "the detector in memory"))
  }

  private init(_ file: SafetensorsFile) throws {
    let format = file.metadata["format"] ?? ""
    guard format == Self.format else {
      throw BLANError.format(
        "\(file.name) has format \"\(format.prefix(40))\"; expected \"\(Self.format)\": it is no face detector")
    }
    let expected = CascadeNetwork.all.flatMap(\.tensors)
    for (name, shape) in expected {
      guard let tensor = file.tensors[name] else { throw BLANError.format("\(file.name) lacks \"\(name)\"") }
      guard tensor.shape == shape else {
        throw BLANError.shape("\(file.name): tensor \"\(name)\" has shape \(tensor.shape); expected \(shape)")
      }
    }
    let known = Set(expected.map(\.name))
    if let unknown = file.tensors.keys.filter({ !known.contains($0) }).min() {
      throw BLANError.format("\(file.name) has a tensor that no network of a detector does: \"\(unknown.prefix(80))\"")
    }
    self.file = file
  }

  public func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    try file.withTensor(name, shape: shape, body)
  }
}

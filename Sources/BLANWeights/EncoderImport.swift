import BLANNetwork
import BLANTensors

/// Weights whose encoder comes from a torchvision or timm ResNet-34 state dict and everything else from another source.
///
/// Names may stand with or without `encoder.`; `fc.*` and `num_batches_tracked` are ignored.
public struct EncoderImport<Base: TensorSource>: TensorSource {
  private static var prefix: String { "encoder." }

  private let stateDict: SafetensorsFile
  private let isPrefixed: Bool
  private let base: Base

  /// - Throws: `BLANError.format` when the file is no ResNet-34 state dict.
  public init(stateDict path: UnsafePointer<CChar>, over base: Base) throws {
    stateDict = try SafetensorsFile(path: path)
    self.base = base
    isPrefixed = stateDict.tensors[Self.prefix + "conv1.weight"] != nil
    guard isPrefixed || stateDict.tensors["conv1.weight"] != nil else {
      throw BLANError.format(
        "\(stateDict.name) is no ResNet-34 state dict: it has neither conv1.weight nor encoder.conv1.weight")
    }
  }

  public func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard name.hasPrefix(Self.prefix) else { return try base.withTensor(name, shape: shape, body) }
    let stored = isPrefixed ? name : String(name.dropFirst(Self.prefix.count))
    return try stateDict.withTensor(stored, shape: shape, body)
  }
}

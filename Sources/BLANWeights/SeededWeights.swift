import BLANNetwork
import BLANTensors

/// The weights of a new network: seeded random values by ``Initialisation``.
public struct SeededWeights: TensorSource {
  private let parameters: [String: Parameter]
  private let seed: UInt64

  public init(_ network: Network, seed: UInt64) {
    parameters = Dictionary(network.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.seed = seed
  }

  public func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard let parameter = parameters[name], parameter.shape == shape else {
      throw BLANError.internal("the network has no tensor \"\(name)\" of shape \(shape)")
    }
    let buffer = try AlignedBuffer<Float>(count: parameter.count, purpose: name)
    Initialisation.fill(parameter, seed: seed, into: buffer.pointer)
    return try body(UnsafeBufferPointer(buffer.elements))
  }
}

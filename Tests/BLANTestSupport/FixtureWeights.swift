import BLANNetwork
import BLANTensors

/// The weights that Tests/Fixtures/generators/streams.py gives a network: the library's own initial weights, and drawn
/// numbers for everything that a new network has at zero or one.
public struct FixtureWeights: TensorSource, Sendable {
  private let values: [String: [Float]]

  /// - Parameter branchScale: multiplies what residual branches add; the metadata of training fixtures have it.
  public init(_ network: Network, seed: UInt64, branchScale: Double = 1) throws {
    var values: [String: [Float]] = [:]
    for parameter in network.parameters {
      values[parameter.name] = try Self.draw(parameter, seed: seed, branchScale: branchScale)
    }
    self.values = values
  }

  public func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard let values = values[name], values.count == shape.reduce(1, *) else {
      throw BLANError.internal("the fixtures have no tensor \"\(name)\" of shape \(shape)")
    }
    return try values.withUnsafeBufferPointer(body)
  }

  private static func draw(_ parameter: Parameter, seed: UInt64, branchScale: Double) throws -> [Float] {
    if case .weight = parameter.role {
      let buffer = try AlignedBuffer<Float>(count: parameter.count)
      Initialisation.fill(parameter, seed: seed, into: buffer.pointer)
      return Array(buffer.elements)
    }
    var stream = RandomStream(seed: seed, key: "fixture/" + parameter.name)
    let endsBranch = parameter.name.hasSuffix(".bn2.weight") && !parameter.name.hasPrefix("classifiers.")
    return (0..<parameter.count).map { _ in
      let drawn = stream.nextUniform()
      switch parameter.role {
      case .weight, .bias: return Float(-0.1 + 0.2 * drawn)
      case .batchNormWeight: return Float((endsBranch ? branchScale : 1) * (0.5 + drawn))
      case .batchNormBias, .runningMean: return Float(-0.2 + 0.4 * drawn)
      case .runningVariance: return Float(1.5 + 3 * drawn)
      case .fusion: return Float(0.1 + 0.2 * drawn)
      }
    }
  }

  /// Normalised pixels, batch x 3 x size x size in [-2, 2).
  public static func pixels(seed: UInt64, batch: Int, size: Int) -> [Float] {
    var stream = RandomStream(seed: seed, key: "pixels")
    return (0..<batch * 3 * size * size).map { _ in Float(4 * stream.nextUniform() - 2) }
  }

  /// The attributes of the fixtures' networks.
  public static func attributes(_ count: Int) -> [String] { (0..<count).map { "attribute \($0)" } }
}

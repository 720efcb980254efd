import BLANNetwork
import BLANTensors
import Glibc

/// The decision from the classifiers' scores: s_5 = s_1 + .. + s_4, z[j, c] = Σ_k W[k, j] · s_k[j, c] (Eq. 6), and
/// p_j = softmax(z[j, ·] / t_j)[1] with the temperature t_j fitted on validation data. Without fusion z is s_5.
public struct ScoreFusion: Sendable {
  /// s_1..s_4 and their sum.
  static let levels = Network.levelCount + 1

  private let attributes: Int
  /// [levels][attributes]; empty without fusion.
  private let weights: [Float]
  private let temperatures: [Float]

  init(_ network: Network, _ source: some TensorSource, temperatures: [Float]?) throws {
    attributes = network.configuration.attributes.count
    self.temperatures = temperatures ?? [Float](repeating: 1, count: attributes)
    guard self.temperatures.count == attributes else {
      throw BLANError.invalidArgument(
        "there are \(self.temperatures.count) temperatures; expected one for each of \(attributes) attributes")
    }
    if case .fuseScores(let name, let levels) = network.graph[network.decision].operation {
      weights = try source.withTensor(name, shape: [levels, attributes]) { Array($0) }
    } else {
      weights = []
    }
  }

  /// Probability of "present", σ(margin / t): the softmax of a pair of scores that lie `margin` = z_1 - z_0 apart.
  public static func probability(margin: Float, temperature: Float) -> Float { 1 / (1 + exp(-margin / temperature)) }

  /// One image. scores: s_1..s_4, [attributes][2] each; probabilities: [attributes]; scoresOut: [5][attributes][2];
  /// logitsOut: [attributes][2].
  func run(
    scores: UnsafeBufferPointer<UnsafePointer<Float>>, probabilities: UnsafeMutablePointer<Float>,
    scoresOut: UnsafeMutablePointer<Float>?, logitsOut: UnsafeMutablePointer<Float>?
  ) {
    for attribute in 0..<attributes {
      var z: (Float, Float) = (0, 0)
      for side in 0..<2 {
        let index = 2 * attribute + side
        var sum: Float = 0
        var fused: Float = 0
        for level in 0..<Network.levelCount {
          let score = scores[level][index]
          scoresOut?[level * 2 * attributes + index] = score
          sum += score
          if !weights.isEmpty { fused += weights[level * attributes + attribute] * score }
        }
        scoresOut?[Network.levelCount * 2 * attributes + index] = sum
        fused = weights.isEmpty ? sum : fused + weights[Network.levelCount * attributes + attribute] * sum
        logitsOut?[index] = fused
        if side == 0 { z.0 = fused } else { z.1 = fused }
      }
      probabilities[attribute] = Self.probability(margin: z.1 - z.0, temperature: temperatures[attribute])
    }
  }
}

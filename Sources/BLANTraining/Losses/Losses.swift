import BLANNetwork

/// The terms of Eq. 8, means over the batch, unweighted. A term that the variant lacks, or whose weight is 0, is 0.
public struct Losses: Sendable, Equatable, Codable {
  /// l_CLS of AC_1..AC_4.
  public var classification = [Double](repeating: 0, count: Network.levelCount)
  /// l_LMIM of levels 1 to 4.
  public var mutualInformation = [Double](repeating: 0, count: Network.levelCount)
  /// l_REC.
  public var reconstruction = 0.0
  /// l_SF.
  public var fusion = 0.0
  /// Σ (l_CLS + α l_LMIM) + β l_REC + γ l_SF.
  public var total = 0.0

  public init() {}

  /// - Parameter terms: as ``terms`` has them.
  init(terms: [Double]) {
    let levels = Network.levelCount
    classification = Array(terms[..<levels])
    mutualInformation = Array(terms[levels..<2 * levels])
    reconstruction = terms[2 * levels]
    fusion = terms[2 * levels + 1]
  }

  /// All but the total.
  var terms: [Double] { classification + mutualInformation + [reconstruction, fusion] }

  mutating func sum(weights: LossWeights) {
    total =
      classification.reduce(0, +) + Double(weights.alpha) * mutualInformation.reduce(0, +)
      + Double(weights.beta) * reconstruction + Double(weights.gamma) * fusion
  }

  /// The first term that is not finite, by the name it has in records; nil when all are.
  var nameOfNonFinite: String? {
    for level in 0..<Network.levelCount {
      if !classification[level].isFinite { return "cls[\(level)]" }
      if !mutualInformation[level].isFinite { return "lmim[\(level)]" }
    }
    if !reconstruction.isFinite { return "rec" }
    if !fusion.isFinite { return "sf" }
    return nil
  }

  /// Adds another batch's losses, for a mean over many.
  mutating func add(_ other: Losses, weight: Double) {
    for level in 0..<Network.levelCount {
      classification[level] += weight * other.classification[level]
      mutualInformation[level] += weight * other.mutualInformation[level]
    }
    reconstruction += weight * other.reconstruction
    fusion += weight * other.fusion
    total += weight * other.total
  }

  /// All terms times a factor.
  func scaled(by factor: Double) -> Losses {
    var scaled = Losses()
    scaled.add(self, weight: factor)
    return scaled
  }
}

/// The weights of Eq. 8 and what changes its cross-entropies.
struct LossWeights {
  /// Of LMIM.
  var alpha: Float = 0.1
  /// Of the reconstruction.
  var beta: Float = 0.1
  /// Of score fusion.
  var gamma: Float = 1
  /// Share of each label that goes to its opposite.
  var labelSmoothing: Float = 0
  /// Factor of the loss of present labels of each attribute; nil for 1.
  var positiveWeights: [Float]?
}

/// Where the layers of a step note their losses.
final class LossRecord {
  var losses = Losses()
}

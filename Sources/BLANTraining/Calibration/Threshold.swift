/// What a threshold is chosen for.
public enum ThresholdObjective: Int32, Sendable, CaseIterable {
  case accuracy = 0
  case balancedAccuracy = 1
  case f1 = 2

  func value(_ confusion: Confusion) -> Double {
    switch self {
    case .accuracy: return confusion.accuracy
    case .balancedAccuracy: return confusion.balancedAccuracy
    case .f1: return confusion.f1
    }
  }
}

/// The probability from which an attribute counts as present that serves an objective best.
enum Threshold {
  /// The threshold in [0, 1] with the largest objective. Of equals the nearest to 0.5; between two probabilities it lies
  /// half-way, unless 0.5 lies between them.
  ///
  /// - Returns: 0.5 where all labels say the same.
  static func fit(probabilities: [Float], present: [Bool], for objective: ThresholdObjective) -> Float {
    let sorted = probabilities.indices.sorted { probabilities[$0] > probabilities[$1] }
    let positives = present.count { $0 }
    guard positives > 0, positives < present.count else { return 0.5 }
    // Going down from a threshold above everything, one distinct probability after another comes to be present.
    var confusion = Confusion(trueNegatives: present.count - positives, falseNegatives: positives)
    var best: (value: Double, threshold: Float)?
    var next = 0
    var above: Float?
    while true {
      let below = next < sorted.count ? probabilities[sorted[next]] : nil
      if let threshold = between(below, above) {
        let value = objective.value(confusion)
        if value.isFinite, best.map({ better((value, threshold), than: $0) }) ?? true { best = (value, threshold) }
      }
      guard let below else { break }
      while next < sorted.count, probabilities[sorted[next]] == below {
        if present[sorted[next]] {
          confusion.truePositives += 1
          confusion.falseNegatives -= 1
        } else {
          confusion.falsePositives += 1
          confusion.trueNegatives -= 1
        }
        next += 1
      }
      above = below
    }
    return best?.threshold ?? 0.5
  }

  private static func better(_ one: (value: Double, threshold: Float), than other: (value: Double, threshold: Float))
    -> Bool
  {
    one.value != other.value ? one.value > other.value : abs(one.threshold - 0.5) < abs(other.threshold - 0.5)
  }

  /// A threshold t with `below` < t <= `above`; nil where there is none up to 1.
  ///
  /// - Parameters:
  ///   - below: the largest probability that stays absent; nil for none.
  ///   - above: the smallest that is present; nil for none.
  private static func between(_ below: Float?, _ above: Float?) -> Float? {
    let low = below ?? 0
    let high = above ?? 1
    if let below, below >= high { return nil }
    if below.map({ $0 < 0.5 }) ?? true, high >= 0.5 { return 0.5 }
    let middle = low + (high - low) / 2
    // Of two neighbours among floats the middle is one of them.
    return middle > low || below == nil ? middle : high
  }
}

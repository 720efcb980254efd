/// How an attribute's decisions agree with its known labels, counted. Rates without a denominator are NaN.
public struct Confusion: Sendable, Equatable {
  public var truePositives: Int
  public var falsePositives: Int
  public var trueNegatives: Int
  public var falseNegatives: Int

  public init(truePositives: Int = 0, falsePositives: Int = 0, trueNegatives: Int = 0, falseNegatives: Int = 0) {
    self.truePositives = truePositives
    self.falsePositives = falsePositives
    self.trueNegatives = trueNegatives
    self.falseNegatives = falseNegatives
  }

  public mutating func add(decided: Bool, present: Bool, weight: Int = 1) {
    switch (decided, present) {
    case (true, true): truePositives += weight
    case (true, false): falsePositives += weight
    case (false, false): trueNegatives += weight
    case (false, true): falseNegatives += weight
    }
  }

  /// Labels that say present.
  public var positives: Int { truePositives + falseNegatives }
  /// Labels that say absent.
  public var negatives: Int { trueNegatives + falsePositives }

  /// The paper's metric.
  public var accuracy: Double { ratio(truePositives + trueNegatives, positives + negatives) }
  /// Mean of the shares of present and of absent labels that are found; 0.5 for any constant answer.
  public var balancedAccuracy: Double { (truePositiveRate + ratio(trueNegatives, negatives)) / 2 }
  public var precision: Double { ratio(truePositives, truePositives + falsePositives) }
  /// Recall, by its other name.
  public var truePositiveRate: Double { ratio(truePositives, positives) }
  public var falsePositiveRate: Double { ratio(falsePositives, negatives) }
  public var falseNegativeRate: Double { ratio(falseNegatives, positives) }
  /// Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).
  public var f1: Double { ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives) }
}

/// NaN where there is nothing to divide by.
func ratio(_ part: Int, _ whole: Int) -> Double { whole == 0 ? .nan : Double(part) / Double(whole) }

/// Mean of the numbers that are not NaN; NaN where none is.
func definedMean(_ values: some Sequence<Double>) -> Double {
  var sum = 0.0
  var count = 0
  for value in values where !value.isNaN {
    sum += value
    count += 1
  }
  return count == 0 ? .nan : sum / Double(count)
}

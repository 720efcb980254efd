/// Average precision, Σ (R_n - R_n-1) P_n over the distinct probabilities from the highest down: the area below the
/// precision-recall curve, without interpolation. Equal probabilities are one step.
struct AveragePrecision {
  private var positives = 0
  private var seen = 0
  private var positivesBefore = 0
  private var sum = 0.0

  /// Takes the next item in descending order of probability.
  mutating func add(present: Bool, weight: Int) {
    seen += weight
    if present { positives += weight }
  }

  /// Ends a run of equal probabilities.
  mutating func step() {
    guard positives > positivesBefore else { return }
    sum += Double(positives - positivesBefore) * Double(positives) / Double(seen)
    positivesBefore = positives
  }

  /// NaN without a positive.
  var value: Double { positives == 0 ? .nan : sum / Double(positives) }
}

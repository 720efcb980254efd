import Glibc

/// The temperature t that makes the probabilities σ(m / t) of an attribute likeliest, m = z_1 - z_0.
enum Temperature {
  /// A fitted temperature stays within.
  public static let range: ClosedRange<Double> = 0.05...20

  /// The minimiser of the labels' negative log-likelihood within ``range``.
  ///
  /// The likelihood is log-concave in b = 1 / t, so its slope has one zero, which bisection cannot miss: where present
  /// and absent are parted without a mistake it lies at infinity, where the margins tell nothing at zero or below, and the
  /// end of the range is the answer.
  ///
  /// - Returns: 1 where all labels say the same, which leaves nothing to fit.
  static func fit(margins: [Float], present: [Bool]) -> Double {
    guard present.contains(true), present.contains(false) else { return 1 }
    var low = 1 / range.upperBound
    var high = 1 / range.lowerBound
    if slope(at: low, margins, present) >= 0 { return range.upperBound }
    if slope(at: high, margins, present) <= 0 { return range.lowerBound }
    // 40 halvings take the interval below a Float's precision.
    for _ in 0..<40 {
      let middle = (low * high).squareRoot()
      if slope(at: middle, margins, present) > 0 { high = middle } else { low = middle }
    }
    return 1 / (low * high).squareRoot()
  }

  /// Derivative of the negative log-likelihood by b: Σ (σ(b m) - y) m.
  private static func slope(at b: Double, _ margins: [Float], _ present: [Bool]) -> Double {
    var sum = 0.0
    for (margin, present) in zip(margins, present) {
      let margin = Double(margin)
      sum += (1 / (1 + exp(-b * margin)) - (present ? 1 : 0)) * margin
    }
    return sum
  }
}

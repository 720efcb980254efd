/// Expected calibration error of the probability of "present": in bins of equal width, the distance between the mean
/// probability and the share of present labels, averaged with the bins' counts as weights.
struct CalibrationError {
  static let bins = 15

  private var count = 0
  private var sum = 0.0
  private var binCount = 0
  private var binPositives = 0
  private var binProbabilities = 0.0

  /// Bin of a probability: [0, 1/15), .., [14/15, 1].
  static func bin(_ probability: Float) -> Int {
    guard probability > 0 else { return 0 }
    return min(Int(min(probability, 1) * Float(bins)), bins - 1)
  }

  /// Takes the next item; those of a bin follow one another.
  mutating func add(probability: Float, present: Bool, weight: Int) {
    binCount += weight
    binProbabilities += Double(probability) * Double(weight)
    if present { binPositives += weight }
  }

  /// Ends a bin.
  mutating func endBin() {
    sum += abs(binProbabilities - Double(binPositives))
    count += binCount
    binCount = 0
    binPositives = 0
    binProbabilities = 0
  }

  /// NaN without an item.
  var value: Double { count == 0 ? .nan : sum / Double(count) }
}

/// Accuracy of each attribute classifier by itself, of their sum and of the fused decision, as the paper's Fig. 3
/// compares them. Every level decides "present" where that score is at least the other, which is a probability of 0.5:
/// thresholds fitted to the fused decision would not compare.
public struct LevelAccuracy: Sendable {
  /// AC_1 to AC_4, s_5 = s_1 + .. + s_4, and the fused decision.
  public static let names = ["AC_1", "AC_2", "AC_3", "AC_4", "s_5", "fused"]
  /// Levels that have scores of their own: all but the fused decision.
  static let scored = 5

  private let attributes: Int
  /// [levels][attributes].
  private var right: [Int]
  private var known: [Int]

  public init(attributes: Int) {
    self.attributes = attributes
    right = [Int](repeating: 0, count: Self.names.count * attributes)
    known = [Int](repeating: 0, count: attributes)
  }

  /// Takes one image.
  ///
  /// - Parameters:
  ///   - scores: 5 x N x 2: s_1..s_5; [1] is "present".
  ///   - probabilities: N, of the fused decision.
  ///   - labels: N: 1, -1, or 0 for unknown.
  public mutating func add(
    scores: UnsafePointer<Float>, probabilities: UnsafePointer<Float>, labels: some RandomAccessCollection<Int8>
  ) {
    for (attribute, label) in labels.enumerated() where label != 0 {
      known[attribute] += 1
      for level in 0..<Self.scored {
        let pair = scores + 2 * (level * attributes + attribute)
        if (pair[1] >= pair[0]) == (label > 0) { right[level * attributes + attribute] += 1 }
      }
      if (probabilities[attribute] >= 0.5) == (label > 0) { right[Self.scored * attributes + attribute] += 1 }
    }
  }

  /// NaN for an attribute without a known label.
  public func accuracy(level: Int, attribute: Int) -> Double {
    ratio(right[level * attributes + attribute], known[attribute])
  }

  /// Mean over the attributes that have known labels.
  public func mean(level: Int) -> Double {
    definedMean((0..<attributes).lazy.map { accuracy(level: level, attribute: $0) })
  }
}

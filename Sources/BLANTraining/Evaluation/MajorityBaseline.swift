/// What a constant answer would score: accuracies are worth comparing with this alone.
enum MajorityBaseline {
  /// Accuracy of the more frequent answer among these very labels; NaN without any.
  static func accuracy(positives: Int, negatives: Int) -> Double {
    ratio(max(positives, negatives), positives + negatives)
  }

  /// Accuracy on these labels of the answer that was more frequent in training; NaN where either has none. A draw in
  /// training answers "absent".
  static func accuracy(positives: Int, negatives: Int, training: (positives: Int, negatives: Int)) -> Double {
    guard training.positives + training.negatives > 0 else { return .nan }
    return ratio(training.positives > training.negatives ? positives : negatives, positives + negatives)
  }

  /// Present and absent labels of each attribute.
  ///
  /// - Parameter labels: items x attributes, row by row.
  static func counts(_ labels: [Int8], attributes: Int) -> [(positives: Int, negatives: Int)] {
    var counts = [(positives: Int, negatives: Int)](repeating: (0, 0), count: attributes)
    for (index, label) in labels.enumerated() where label != 0 {
      if label > 0 { counts[index % attributes].positives += 1 } else { counts[index % attributes].negatives += 1 }
    }
    return counts
  }
}

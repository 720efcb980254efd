/// A figure that is compared between groups. The raw value is its name in reports.
public enum GroupMetric: String, Sendable, CaseIterable {
  case accuracy
  case truePositiveRate = "true_positive_rate"
  case falsePositiveRate = "false_positive_rate"
  case falseNegativeRate = "false_negative_rate"
  case averagePrecision = "average_precision"
  case calibrationError = "calibration_error"

  static let count = allCases.count

  /// Place among all, for arrays of figures.
  var place: Int {
    switch self {
    case .accuracy: return 0
    case .truePositiveRate: return 1
    case .falsePositiveRate: return 2
    case .falseNegativeRate: return 3
    case .averagePrecision: return 4
    case .calibrationError: return 5
    }
  }

  func value(_ measures: Measures) -> Double {
    switch self {
    case .accuracy: return measures.confusion.accuracy
    case .truePositiveRate: return measures.confusion.truePositiveRate
    case .falsePositiveRate: return measures.confusion.falsePositiveRate
    case .falseNegativeRate: return measures.confusion.falseNegativeRate
    case .averagePrecision: return measures.averagePrecision
    case .calibrationError: return measures.calibrationError
    }
  }
}

/// A figure of an attribute, and of the mean over attributes. The raw value is its name in reports.
public enum Metric: String, Sendable, CaseIterable {
  /// The paper's metric.
  case accuracy
  case balancedAccuracy = "balanced_accuracy"
  case precision
  case recall
  case f1
  case averagePrecision = "average_precision"
  case calibrationError = "calibration_error"
  case brier
  /// Accuracy of the more frequent answer among the labels.
  case majority
  /// Accuracy of the more frequent answer in the training labels.
  case trainingMajority = "training_majority"
}

/// All that is measured of one attribute.
public struct AttributeMetrics: Sendable, Equatable {
  public var measures: Measures
  /// Images whose label is unknown; they count for nothing else here.
  public var unknown: Int
  public var trainingMajority: Double

  /// NaN where the labels do not suffice.
  public subscript(metric: Metric) -> Double {
    switch metric {
    case .accuracy: return measures.confusion.accuracy
    case .balancedAccuracy: return measures.confusion.balancedAccuracy
    case .precision: return measures.confusion.precision
    case .recall: return measures.confusion.truePositiveRate
    case .f1: return measures.confusion.f1
    case .averagePrecision: return measures.averagePrecision
    case .calibrationError: return measures.calibrationError
    case .brier: return measures.brier
    case .majority:
      return MajorityBaseline.accuracy(
        positives: measures.confusion.positives, negatives: measures.confusion.negatives)
    case .trainingMajority: return trainingMajority
    }
  }
}

extension [AttributeMetrics] {
  /// Mean over the attributes for which the metric is defined; NaN where it is for none.
  public func mean(of metric: Metric) -> Double { definedMean(lazy.map { $0[metric] }) }
}

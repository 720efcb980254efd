/// Rates of each group of a ``Grouping``, how far the groups lie apart, and 95 % intervals of both.
public struct GroupRates: Sendable {
  /// A group of fewer images is flagged and left out of gaps.
  public static let fewImages = 30
  /// An attribute with fewer present or fewer absent labels in a group is flagged there and left out of gaps.
  public static let fewLabels = 10

  /// A figure with its interval; NaN where the labels do not suffice or nothing was resampled.
  public struct Figure: Sendable {
    public var value: Double
    public var interval: ClosedInterval
  }

  /// One attribute in one group.
  public struct Cell: Sendable {
    public var confusion: Confusion
    public var unknown: Int
    public var isTooFew: Bool
    /// In the order of ``GroupMetric``.
    public var figures: [Figure]
  }

  public struct Group: Sendable {
    public var values: [String]
    public var images: Int
    public var isTooFew: Bool
    /// Means over attributes: accuracy over those with a label in every group, the other figures over
    /// ``GroupRates/comparable``.
    public var means: [Figure]
    /// One for each attribute.
    public var cells: [Cell]
  }

  /// The distance of the two groups farthest apart, of those that are not too few. The interval is that of the
  /// difference of these two.
  public struct Gap: Sendable {
    public var figure: Figure
    /// The group with the largest and that with the smallest value; nil where fewer than two groups compare.
    public var groups: (highest: Int, lowest: Int)?

    static let none = Gap(
      figure: Figure(value: .nan, interval: ClosedInterval(low: .nan, high: .nan)), groups: nil)
  }

  public let by: [String]
  public let groups: [Group]
  /// Attributes with enough present and absent labels in every group that is not too few: means over others would
  /// compare unlike with unlike.
  public let comparable: [Int]
  /// Of the means, in the order of ``GroupMetric``.
  public let meanGaps: [Gap]
  /// Of each attribute, [attributes][metrics].
  public let gaps: [[Gap]]

  /// The attribute whose groups lie farthest apart; nil where none compares.
  public func widest(_ metric: GroupMetric) -> Int? {
    gaps.indices.filter { gaps[$0][metric.place].groups != nil }
      .max { gaps[$0][metric.place].figure.value < gaps[$1][metric.place].figure.value }
  }
}

import FoundationEssentials

extension Evaluation {
  /// The whole report as JSON, keys sorted; `include/blan.h` documents them. Figures that are not defined are null.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(EvaluationReport(self)), as: UTF8.self)
  }
}

/// What the JSON of an evaluation holds.
private struct EvaluationReport: Encodable {
  let source: String
  let images: Int
  let unreadable: [Unreadable]
  let mean: Figures
  let attributes: [Attribute]
  let levels: Levels
  let groups: [GroupsReport]
  let settings: Settings

  struct Unreadable: Encodable {
    let index: Int
    let path: String
    let message: String
  }

  struct Attribute: Encodable {
    let name: String
    let threshold: Float
    let positives: Int
    let negatives: Int
    let unknown: Int
    let figures: Figures

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(name, forKey: "name")
      try container.encode(threshold, forKey: "threshold")
      try container.encode(positives, forKey: "positives")
      try container.encode(negatives, forKey: "negatives")
      try container.encode(unknown, forKey: "unknown")
      try figures.encode(into: &container)
    }
  }

  struct Levels: Encodable {
    let names: [String]
    let mean: [Number]
    /// [levels][attributes].
    let attributes: [[Number]]
  }

  struct Settings: Encodable {
    let bins = CalibrationError.bins
    let confidence = Bootstrap.confidence
    let resamples: Int
    let seed: UInt64
    let fewImages = GroupRates.fewImages
    let fewLabels = GroupRates.fewLabels
  }

  init(_ evaluation: Evaluation) {
    source = evaluation.source
    images = evaluation.count
    unreadable = evaluation.unreadable.map { Unreadable(index: $0.item, path: $0.path, message: $0.message) }
    mean = Figures { evaluation.metrics.mean(of: $0) }
    attributes = evaluation.metrics.enumerated().map { index, metrics in
      Attribute(
        name: evaluation.outcome.attributes[index], threshold: evaluation.outcome.thresholds[index],
        positives: metrics.measures.confusion.positives, negatives: metrics.measures.confusion.negatives,
        unknown: metrics.unknown, figures: Figures { metrics[$0] })
    }
    let levels = evaluation.levels
    self.levels = Levels(
      names: LevelAccuracy.names,
      mean: LevelAccuracy.names.indices.map { Number(levels.mean(level: $0)) },
      attributes: LevelAccuracy.names.indices.map { level in
        evaluation.metrics.indices.map { Number(levels.accuracy(level: level, attribute: $0)) }
      })
    groups = evaluation.groups.map { GroupsReport($0, attributes: evaluation.outcome.attributes) }
    settings = Settings(resamples: evaluation.resampling.count, seed: evaluation.resampling.seed)
  }
}

/// Every ``Metric`` under its name.
private struct Figures: Encodable {
  let value: (Metric) -> Double

  func encode(into container: inout KeyedEncodingContainer<Key>) throws {
    for metric in Metric.allCases { try container.encode(Number(value(metric)), forKey: Key(metric.rawValue)) }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try encode(into: &container)
  }
}

/// Rates by group.
private struct GroupsReport: Encodable {
  let by: [String]
  let groups: [Group]
  let comparable: [String]
  let gaps: Gaps

  struct Group: Encodable {
    let values: [String]
    let images: Int
    let tooFew: Bool
    let mean: RateFigures
    let attributes: [Cell]
  }

  struct Cell: Encodable {
    let name: String
    let cell: GroupRates.Cell

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(name, forKey: "name")
      try container.encode(cell.confusion.positives, forKey: "positives")
      try container.encode(cell.confusion.negatives, forKey: "negatives")
      try container.encode(cell.unknown, forKey: "unknown")
      try container.encode(cell.isTooFew, forKey: "too_few")
      try RateFigures(figures: cell.figures).encode(into: &container)
    }
  }

  struct Gaps: Encodable {
    let mean: GapFigures
    let attributes: [GapFigures]
    /// For each metric the attribute with the widest gap; null where none compares.
    let widest: Widest
  }

  struct Widest: Encodable {
    let names: [GroupMetric: String]

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      for metric in GroupMetric.allCases { try container.encode(names[metric], forKey: Key(metric.rawValue)) }
    }
  }

  init(_ rates: GroupRates, attributes: [String]) {
    by = rates.by
    comparable = rates.comparable.map { attributes[$0] }
    groups = rates.groups.map { group in
      Group(
        values: group.values, images: group.images, tooFew: group.isTooFew, mean: RateFigures(figures: group.means),
        attributes: zip(attributes, group.cells).map { Cell(name: $0, cell: $1) })
    }
    let values = rates.groups.map(\.values)
    gaps = Gaps(
      mean: GapFigures(name: nil, gaps: rates.meanGaps, values: values),
      attributes: zip(attributes, rates.gaps).map { GapFigures(name: $0, gaps: $1, values: values) },
      widest: Widest(
        names: GroupMetric.allCases.reduce(into: [:]) { names, metric in
          names[metric] = rates.widest(metric).map { attributes[$0] }
        }))
  }
}

/// Every ``GroupMetric`` under its name, as its value and the ends of its interval.
private struct RateFigures: Encodable {
  let figures: [GroupRates.Figure]

  func encode(into container: inout KeyedEncodingContainer<Key>) throws {
    for (metric, figure) in zip(GroupMetric.allCases, figures) {
      try container.encode(Interval(figure), forKey: Key(metric.rawValue))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try encode(into: &container)
  }
}

private struct Interval: Encodable {
  let value: Number
  let low: Number
  let high: Number

  init(_ figure: GroupRates.Figure) {
    value = Number(figure.value)
    low = Number(figure.interval.low)
    high = Number(figure.interval.high)
  }
}

private struct GapFigures: Encodable {
  struct Gap: Encodable {
    let value: Number
    let low: Number
    let high: Number
    let highest: [String]?
    let lowest: [String]?

    enum CodingKeys: CodingKey { case value, low, high, highest, lowest }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(value, forKey: .value)
      try container.encode(low, forKey: .low)
      try container.encode(high, forKey: .high)
      try container.encode(highest, forKey: .highest)
      try container.encode(lowest, forKey: .lowest)
    }
  }

  let name: String?
  let gaps: [GroupRates.Gap]
  /// Of each group.
  let values: [[String]]

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    if let name { try container.encode(name, forKey: "name") }
    for (metric, gap) in zip(GroupMetric.allCases, gaps) {
      let gap = Gap(
        value: Number(gap.figure.value), low: Number(gap.figure.interval.low),
        high: Number(gap.figure.interval.high), highest: gap.groups.map { values[$0.highest] },
        lowest: gap.groups.map { values[$0.lowest] })
      try container.encode(gap, forKey: Key(metric.rawValue))
    }
  }
}

/// A number, or null where it is not one.
private struct Number: Encodable {
  let value: Double

  init(_ value: Double) { self.value = value }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if value.isFinite { try container.encode(value) } else { try container.encodeNil() }
  }
}

/// A key that is known by its name alone.
private struct Key: CodingKey, ExpressibleByStringLiteral {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init(stringLiteral name: String) { stringValue = name }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

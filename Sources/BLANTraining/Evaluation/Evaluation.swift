/// All that is measured of a model on some labelled images.
public struct Evaluation: Sendable {
  /// An image that could not be read and was skipped.
  public struct Unreadable: Sendable, Equatable {
    public var item: Int
    public var path: String
    public var message: String
  }

  /// How intervals are made.
  public struct Resampling: Sendable, Equatable {
    /// 0 for no intervals.
    public var count: Int
    public var seed: UInt64

    public init(count: Int = 1000, seed: UInt64 = 0) {
      self.count = count
      self.seed = seed
    }
  }

  /// Where the images came from.
  public let source: String
  public let outcome: Outcome
  public let unreadable: [Unreadable]
  /// One for each attribute.
  public let metrics: [AttributeMetrics]
  public let levels: LevelAccuracy
  public let groups: [GroupRates]
  public let resampling: Resampling

  /// Images that were measured.
  public var count: Int { outcome.count - unreadable.count }

  /// - Parameters:
  ///   - unreadable: images of the outcome without probabilities.
  ///   - trainingLabels: images x attributes, for the majority of the training data; nil for none.
  ///   - threads: threads to compute on; results do not depend on it.
  public init(
    source: String, outcome: Outcome, unreadable: [Unreadable] = [], levels: LevelAccuracy,
    trainingLabels: [Int8]? = nil, groupings: [Grouping] = [], resampling: Resampling = Resampling(), threads: Int = 1
  ) {
    self.source = source
    self.outcome = outcome
    self.unreadable = unreadable
    self.levels = levels
    self.resampling = resampling
    let skipped = Set(unreadable.map(\.item))
    let items = (0..<outcome.count).filter { !skipped.contains($0) }
    let training = trainingLabels.map { MajorityBaseline.counts($0, attributes: outcome.attributes.count) }
    metrics = outcome.columns(of: items, threads: threads).enumerated().map { attribute, column in
      let measures = column.measures()
      let baseline = training.map {
        MajorityBaseline.accuracy(
          positives: measures.confusion.positives, negatives: measures.confusion.negatives, training: $0[attribute])
      }
      return AttributeMetrics(measures: measures, unknown: column.unknown, trainingMajority: baseline ?? .nan)
    }
    groups = groupings.map { grouping in
      GroupComparison(
        outcome, items: items, grouping: grouping, resamples: resampling.count, seed: resampling.seed,
        threads: threads
      ).rates()
    }
  }
}

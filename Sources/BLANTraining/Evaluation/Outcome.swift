/// What a model said of some images, and what is true: what an evaluation is computed from.
public struct Outcome: Sendable {
  public let attributes: [String]
  /// Probability from which each attribute counts as present.
  public let thresholds: [Float]
  /// images x attributes: probability of "present", from 0 to 1; NaN throughout an image that could not be read.
  public let probabilities: [Float]
  /// images x attributes: 1, -1, or 0 for unknown.
  public let labels: [Int8]

  public init(attributes: [String], thresholds: [Float], probabilities: [Float], labels: [Int8]) {
    self.attributes = attributes
    self.thresholds = thresholds
    self.probabilities = probabilities
    self.labels = labels
  }

  public var count: Int { attributes.isEmpty ? 0 : labels.count / attributes.count }

  /// The columns of all attributes for some of the images.
  func columns(of items: [Int], threads: Int = 1) -> [RankedColumn] {
    let attributes = attributes.count
    return Parallel.map(attributes, threads: threads) { attribute in
      RankedColumn(
        items: items, threshold: thresholds[attribute], probability: { probabilities[$0 * attributes + attribute] },
        label: { labels[$0 * attributes + attribute] })
    }
  }
}

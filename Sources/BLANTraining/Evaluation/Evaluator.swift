import BLANData
import BLANInference
import BLANTensors

/// Measures a model on a data set.
public enum Evaluator {
  public struct Options {
    /// Requests for rates by group: see ``Grouping/init(_:of:)``.
    public var groups: [String] = []
    /// Data whose labels give the majority of training.
    public var training: Dataset?
    public var resampling = Evaluation.Resampling()
    public var reading = ReadingOptions()

    public init() {}
  }

  static let mostResamples = 100_000

  /// Labels are matched to the model's attributes by name; an attribute that the data lack has unknown labels only.
  ///
  /// - Throws: `BLANError.invalidArgument` for data without any attribute of the model, a group that the data lack or
  ///   an option out of range; `.format` where the model's outputs are not numbers; the error of the first unreadable
  ///   image unless such are skipped; `.cancelled`.
  public static func evaluate(
    _ model: FaceModel, on data: Dataset, _ options: Options = Options()
  ) throws -> Evaluation {
    guard (0...mostResamples).contains(options.resampling.count) else {
      throw BLANError.invalidArgument(
        "resamples is \(options.resampling.count); expected 0 (no intervals) to \(mostResamples)")
    }
    let prediction = try DatasetPrediction(model, data, options.reading)
    let groupings = try options.groups.map { try Grouping($0, of: data) }
    let labels = prediction.data.labels
    let attributes = prediction.data.attributes.count
    let training = try options.training?.selecting(prediction.data.attributes, unknownWhenAbsent: true)
    let probabilities = try AlignedBuffer<Float>(
      count: data.count * attributes, purpose: "the probabilities of \(data.count) images")
    let scoreCount = LevelAccuracy.scored * 2 * attributes
    let scores = try AlignedBuffer<Float>(
      count: min(options.reading.batch, data.count) * scoreCount, purpose: "the scores of a batch")
    var levels = LevelAccuracy(attributes: attributes)
    var unreadable: [Evaluation.Unreadable] = []
    try prediction.run { first in
      PredictionOutputs(probabilities: probabilities.pointer + first * attributes, scores: scores.pointer)
    } done: { batch, failures in
      for item in batch where failures[item] == nil {
        let row = UnsafePointer(probabilities.pointer + item * attributes)
        for attribute in 0..<attributes { _ = try prediction.checked(row[attribute], item: item, attribute: attribute) }
        levels.add(
          scores: scores.pointer + (item - batch.lowerBound) * scoreCount, probabilities: row,
          labels: labels[item * attributes..<(item + 1) * attributes])
      }
      for (item, error) in failures.sorted(by: { $0.key < $1.key }) {
        unreadable.append(Evaluation.Unreadable(item: item, path: data.paths[item], message: error.message))
      }
    }
    let outcome = Outcome(
      attributes: prediction.data.attributes, thresholds: model.description.thresholds,
      probabilities: Array(probabilities.elements[..<(data.count * attributes)]), labels: labels)
    return Evaluation(
      source: data.source, outcome: outcome, unreadable: unreadable, levels: levels, trainingLabels: training?.labels,
      groupings: groupings, resampling: options.resampling, threads: model.predictor.threads)
  }
}

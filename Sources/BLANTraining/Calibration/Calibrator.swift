import BLANData
import BLANInference
import BLANTensors
import BLANWeights

/// Fits what a model file holds beside its weights: each attribute's temperature and threshold, on data that the model
/// was not trained on.
public enum Calibrator {
  public struct Options {
    public var fitsTemperatures = true
    public var fitsThresholds = true
    public var objective = ThresholdObjective.accuracy
    /// An attribute with fewer present or fewer absent labels than this keeps 1 and 0.5.
    public var minimumLabels = 10
    public var reading = ReadingOptions()

    public init() {}
  }

  /// Numbers for each attribute of a model, in its order.
  public struct Fit: Sendable {
    public var temperatures: [Float]
    public var thresholds: [Float]
  }

  /// What fits the labels best. What is not fitted keeps the model's own; an attribute with too few labels gets 1 and
  /// 0.5, which change nothing.
  ///
  /// - Throws: as ``Evaluator/evaluate(_:on:_:)``.
  public static func fit(_ model: FaceModel, on data: Dataset, _ options: Options = Options()) throws -> Fit {
    guard options.minimumLabels >= 1 else {
      throw BLANError.invalidArgument("minimum_labels is \(options.minimumLabels); expected 1 or more")
    }
    let prediction = try DatasetPrediction(model, data, options.reading)
    let labels = prediction.data.labels
    let attributes = prediction.data.attributes.count
    let batch = min(options.reading.batch, data.count)
    let probabilities = try AlignedBuffer<Float>(count: batch * attributes, purpose: "the probabilities of a batch")
    let logits = try AlignedBuffer<Float>(count: batch * 2 * attributes, purpose: "the logits of a batch")
    var columns = [Column](repeating: Column(), count: attributes)
    try prediction.run { _ in
      PredictionOutputs(probabilities: probabilities.pointer, logits: logits.pointer)
    } done: { batch, failures in
      for item in batch where failures[item] == nil {
        let place = item - batch.lowerBound
        for attribute in 0..<attributes where labels[item * attributes + attribute] != 0 {
          let pair = logits.pointer + 2 * (place * attributes + attribute)
          columns[attribute].margins.append(
            try prediction.checked(pair[1] - pair[0], item: item, attribute: attribute))
          columns[attribute].present.append(labels[item * attributes + attribute] > 0)
        }
      }
    }
    let description = model.description
    let fitted = Parallel.map(attributes, threads: model.predictor.threads) { attribute in
      columns[attribute].fit(
        options, temperature: description.temperatures[attribute], threshold: description.thresholds[attribute])
    }
    return Fit(temperatures: fitted.map(\.temperature), thresholds: fitted.map(\.threshold))
  }

  /// Copies a model file with what was fitted in it; its tensors stay as they are stored.
  public static func write(_ fit: Fit, of file: ModelFile, to path: String) throws {
    var description = file.description
    description.temperatures = fit.temperatures
    description.thresholds = fit.thresholds
    try file.copy(to: path, describedBy: description)
  }
}

/// The known labels of one attribute and what the model says of them.
private struct Column {
  /// z_1 - z_0.
  var margins: [Float] = []
  var present: [Bool] = []

  /// - Parameters:
  ///   - temperature: the model's, kept where none is fitted.
  ///   - threshold: likewise.
  func fit(
    _ options: Calibrator.Options, temperature: Float, threshold: Float
  ) -> (temperature: Float, threshold: Float) {
    let positives = present.count { $0 }
    guard min(positives, present.count - positives) >= options.minimumLabels else {
      return (options.fitsTemperatures ? 1 : temperature, options.fitsThresholds ? 0.5 : threshold)
    }
    let temperature =
      options.fitsTemperatures ? Float(Temperature.fit(margins: margins, present: present)) : temperature
    guard options.fitsThresholds else { return (temperature, threshold) }
    // The very numbers that a prediction with this temperature gives.
    let probabilities = margins.map { ScoreFusion.probability(margin: $0, temperature: temperature) }
    return (temperature, Threshold.fit(probabilities: probabilities, present: present, for: options.objective))
  }
}

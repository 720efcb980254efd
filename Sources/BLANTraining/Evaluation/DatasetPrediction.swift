import BLANData
import BLANImages
import BLANInference
import BLANTensors

/// How a model is run over a data set.
public struct ReadingOptions {
  static let largestBatch = 65_536

  /// Images between two calls of `progress`.
  public var batch = 64
  /// What to do with an image that cannot be read.
  public var unreadable = LoaderOptions.Unreadable.stop
  /// Told of each image that is skipped, on the calling thread.
  public var onSkipped: ((_ item: Int, _ error: BLANError) -> Void)?
  /// Told how many images are done; false stops the run.
  public var progress: ((_ done: Int) -> Bool)?

  public init() {}
}

/// Runs a model over a data set, some images at a time: what evaluation and calibration have in common.
struct DatasetPrediction {
  let model: FaceModel
  /// With the model's attributes, in its order.
  let data: Dataset
  let options: ReadingOptions

  /// - Throws: `BLANError.invalidArgument` for data without any attribute of the model, or a batch out of range.
  init(_ model: FaceModel, _ data: Dataset, _ options: ReadingOptions) throws {
    guard (1...ReadingOptions.largestBatch).contains(options.batch) else {
      throw BLANError.invalidArgument("batch is \(options.batch); expected 1 to \(ReadingOptions.largestBatch)")
    }
    self.model = model
    self.data = try data.matched(with: model.configuration.attributes)
    self.options = options
  }

  /// - Parameters:
  ///   - outputs: where the images from a given one on go; asked for once a batch.
  ///   - done: gets the images of each batch, and what was wrong with those that could not be read.
  /// - Throws: the error of the first unreadable image unless such are skipped; `.cancelled`.
  func run(outputs: (Int) -> PredictionOutputs, done: (Range<Int>, [Int: BLANError]) throws -> Void) throws {
    let decoder = ImageDecoder()
    for first in stride(from: 0, to: data.count, by: options.batch) {
      let batch = first..<min(first + options.batch, data.count)
      let failures = try model.predictEncoded(count: batch.count, into: outputs(first)) {
        try decoder.decode(path: data.paths[first + $0])
      }
      for failure in failures {
        guard options.unreadable == .skip, failure.error.blamesImage else { throw failure.error }
        options.onSkipped?(first + failure.index, failure.error)
      }
      try done(batch, Dictionary(uniqueKeysWithValues: failures.map { (first + $0.index, $0.error) }))
      if let progress = options.progress, !progress(batch.upperBound) {
        throw BLANError.cancelled("stopped after \(batch.upperBound) of \(data.count) images of \(data.source)")
      }
    }
  }

  /// The model's answer to one attribute of an image.
  ///
  /// - Throws: `BLANError.format` where it is not a number.
  func checked(_ answer: Float, item: Int, attribute: Int) throws -> Float {
    guard answer.isFinite else {
      throw BLANError.format(
        "the model's answer to \(data.attributes[attribute]) for \(data.paths[item]) is \(answer): its weights are "
          + "damaged")
    }
    return answer
  }
}

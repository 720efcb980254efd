import BLANData
import BLANInference
import BLANNetwork
import BLANTensors

/// How well the decision agrees with the labels of a data set.
public struct ValidationResult: Sendable, Equatable {
  /// Cross-entropy of the decision, summed over attributes, mean over images.
  public let loss: Double
  /// Mean over attributes of the share of known labels that the decision meets, 0 to 1.
  public let accuracy: Double
}

/// Predicts a data set with the weights at hand and compares. Each of several processes does its part of every batch.
struct Validation {
  private let trainer: Trainer
  private var configuration: Configuration { trainer.configuration }

  init(_ trainer: Trainer) { self.trainer = trainer }

  /// - Parameter progress: told of the images done; returns whether to go on.
  /// - Throws: `BLANError.cancelled` when `progress` says so; what reading and predicting throw.
  func run(_ source: some TensorSource, _ loader: BatchLoader, progress: (Int) -> Bool) throws -> ValidationResult {
    let predictor = try trainer.together {
      try Predictor(configuration: configuration, source: source, threads: trainer.threads)
    }
    let attributes = configuration.attributes.count
    let probabilities = try AlignedBuffer<Float>(count: loader.options.batch * attributes)
    let logits = try AlignedBuffer<Float>(count: loader.options.batch * 2 * attributes)
    let outputs = PredictionOutputs(probabilities: probabilities.pointer, logits: logits.pointer)
    let entropy = CrossEntropy(labelSmoothing: 0, positiveWeights: nil)
    var known = [Int](repeating: 0, count: attributes)
    var correct = [Int](repeating: 0, count: attributes)
    var loss = 0.0
    var images = 0
    try loader.start(epoch: 0)
    while let batch = try trainer.together({ try loader.next() }) {
      try trainer.together {
        if batch.count > 0 { try predictor.predict(batch.pixels.pointer, batch: batch.count, into: outputs) }
      }
      for image in 0..<batch.count {
        for attribute in 0..<attributes {
          let label = batch.labels.pointer[image * attributes + attribute]
          guard label != 0 else { continue }
          let place = 2 * (image * attributes + attribute)
          let absent = logits.pointer[place]
          let present = logits.pointer[place + 1]
          loss += entropy.evaluate(absent: absent, present: present, label: label, attribute: attribute).loss
          known[attribute] += 1
          if (present > absent) == (label > 0) { correct[attribute] += 1 }
        }
      }
      images += batch.count
      let done = try trainer.total(counts: [images], upTo: loader.dataset.count)[0]
      guard try trainer.all(progress(done)) else {
        throw BLANError.cancelled("validation was cancelled after \(done) images")
      }
    }
    loss = try trainer.total([loss])[0]
    let totals = try trainer.total(counts: [images] + known + correct, upTo: loader.dataset.count)
    images = totals[0]
    known = Array(totals[1...attributes])
    correct = Array(totals[(1 + attributes)...])
    let shares = zip(correct, known).filter { $0.1 > 0 }.map { Double($0) / Double($1) }
    return ValidationResult(
      loss: images > 0 ? loss / Double(images) : .nan,
      accuracy: shares.isEmpty ? .nan : shares.reduce(0, +) / Double(shares.count))
  }
}

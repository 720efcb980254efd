import BLANData
import BLANInference
import BLANTensors
import BLANTraining
import BLANWeights
import CBLAN

/// `blan_evaluation`: an evaluation and the memory that its accessors show.
final class EvaluationHandle: Handle, @unchecked Sendable {
  let evaluation: Evaluation
  let json: CString
  /// Never written to after `init`.
  let probabilities: AlignedBuffer<Float>
  let labels: AlignedBuffer<Int8>

  init(_ evaluation: Evaluation) throws {
    self.evaluation = evaluation
    json = CString(try evaluation.json())
    let outcome = evaluation.outcome
    probabilities = try AlignedBuffer(count: outcome.probabilities.count, purpose: "the evaluation's probabilities")
    labels = try AlignedBuffer(count: outcome.labels.count, purpose: "the evaluation's labels")
    _ = probabilities.elements.update(from: outcome.probabilities)
    _ = labels.elements.update(from: outcome.labels)
  }
}

extension blan_evaluate_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, groups: nil, group_count: 0, training: nil, resamples: 1000, seed: 0,
      batch: 64, skip_unreadable: false, on_error: nil, progress: nil, user: nil)
  }
}

extension blan_calibrate_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, temperatures: true, thresholds: true,
      objective: blan_objective(BLAN_OBJECTIVE_ACCURACY), minimum_labels: 10, threads: 0, batch: 64,
      skip_unreadable: false, on_error: nil, progress: nil, user: nil)
  }
}

extension ReadingOptions {
  /// What both option structs say of the run over the images.
  fileprivate init(
    batch: Int32, skips: Bool, onError: blan_item_error?, progress: blan_evaluate_progress?,
    user: UnsafeMutableRawPointer?, count: Int
  ) {
    self.init()
    self.batch = Int(batch)
    unreadable = skips ? .skip : .stop
    onSkipped = { item, error in error.message.withCString { onError?(user, item, error.kind.rawValue, $0) } }
    self.progress = { done in (progress?(done, count, user) ?? 0) == 0 }
  }
}

@_cdecl("blan_evaluate")
public func evaluate(
  _ model: OpaquePointer?, _ dataset: OpaquePointer?, _ options: UnsafePointer<blan_evaluate_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let model = try ModelHandle.required(model, "model").model
    let data = try DatasetHandle.required(dataset, "dataset").dataset
    let given = try blan_evaluate_options.read(options)
    var options = Evaluator.Options()
    options.groups =
      try names(given.groups, count: given.group_count, "groups", countName: "group_count", most: 1000) ?? []
    options.training = DatasetHandle.optional(given.training)?.dataset
    options.resampling = Evaluation.Resampling(count: Int(given.resamples), seed: given.seed)
    options.reading = ReadingOptions(
      batch: given.batch, skips: given.skip_unreadable, onError: given.on_error, progress: given.progress,
      user: given.user, count: data.count)
    return try EvaluationHandle(Evaluator.evaluate(model, on: data, options)).retained()
  }
}

@_cdecl("blan_evaluation_free")
public func evaluationFree(_ evaluation: OpaquePointer?) { EvaluationHandle.free(evaluation) }

@_cdecl("blan_evaluation_json")
public func evaluationJSON(_ evaluation: OpaquePointer?) -> UnsafePointer<CChar>? {
  EvaluationHandle.optional(evaluation)?.json.pointer
}

@_cdecl("blan_evaluation_count")
public func evaluationCount(_ evaluation: OpaquePointer?) -> Int {
  EvaluationHandle.optional(evaluation)?.evaluation.outcome.count ?? 0
}

@_cdecl("blan_evaluation_skipped")
public func evaluationSkipped(_ evaluation: OpaquePointer?) -> Int {
  EvaluationHandle.optional(evaluation)?.evaluation.unreadable.count ?? 0
}

@_cdecl("blan_evaluation_accuracy")
public func evaluationAccuracy(_ evaluation: OpaquePointer?) -> Double {
  EvaluationHandle.optional(evaluation)?.evaluation.metrics.mean(of: .accuracy) ?? .nan
}

@_cdecl("blan_evaluation_probabilities")
public func evaluationProbabilities(_ evaluation: OpaquePointer?) -> UnsafePointer<Float>? {
  EvaluationHandle.optional(evaluation).map { UnsafePointer($0.probabilities.pointer) }
}

@_cdecl("blan_evaluation_labels")
public func evaluationLabels(_ evaluation: OpaquePointer?) -> UnsafePointer<Int8>? {
  EvaluationHandle.optional(evaluation).map { UnsafePointer($0.labels.pointer) }
}

@_cdecl("blan_calibrate")
public func calibrate(
  _ modelPath: UnsafePointer<CChar>?, _ dataset: OpaquePointer?, _ options: UnsafePointer<blan_calibrate_options>?,
  _ outPath: UnsafePointer<CChar>?
) -> blan_status {
  guarded {
    let data = try DatasetHandle.required(dataset, "dataset").dataset
    let given = try blan_calibrate_options.read(options)
    let outPath = try path(outPath, "out_path")
    let file = try ModelFile(path: readablePath(modelPath, "model_path"))
    guard let objective = ThresholdObjective(rawValue: given.objective) else {
      throw BLANError.invalidArgument("objective is \(given.objective); expected one of blan_objective")
    }
    var options = Calibrator.Options()
    options.fitsTemperatures = given.temperatures
    options.fitsThresholds = given.thresholds
    options.objective = objective
    options.minimumLabels = Int(given.minimum_labels)
    options.reading = ReadingOptions(
      batch: given.batch, skips: given.skip_unreadable, onError: given.on_error, progress: given.progress,
      user: given.user, count: data.count)
    let model = try FaceModel(file, threads: ThreadBudget.resolve(Int(given.threads)))
    try Calibrator.write(Calibrator.fit(model, on: data, options), of: file, to: outPath)
  }
}

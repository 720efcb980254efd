import BLANNetwork
import BLANTensors
import BLANWeights
import FoundationEssentials

/// A checkpoint file: a safetensors file whose metadata `format` is `blan.checkpoint`.
///
/// Tensors: the network's under their names in the weights file; `adam.first.` and `adam.second.` before the names of
/// trained tensors; `average.` before every name where a moving average is kept; `gradient.` before the names of trained
/// tensors where batches wait for the next update. All f32. Metadata: `blan.config` and `blan.licence` as in a model file,
/// and `blan.training`, JSON with the options and the state.
enum Checkpoint {
  private struct Training: Codable {
    let options: TrainingOptions
    let state: TrainerState
  }

  /// Numbers that the file holds of every tensor, or of every one that is trained.
  private struct Part {
    let prefix: String
    let buffer: AlignedBuffer<Float>
    let trainedOnly: Bool

    func tensors(of trainer: Trainer) -> [(parameter: Parameter, slot: ParameterStore.Slot)] {
      zip(trainer.store.parameters, trainer.store.slots).filter { !trainedOnly || trainer.plan.isTrained($1) }
    }
  }

  /// The parts beside the network's own tensors.
  private static func optimiserParts(of trainer: Trainer) -> [Part] {
    var parts = [
      Part(prefix: "adam.first.", buffer: trainer.optimiser.first, trainedOnly: true),
      Part(prefix: "adam.second.", buffer: trainer.optimiser.second, trainedOnly: true),
    ]
    if let average = trainer.optimiser.average {
      parts.append(Part(prefix: "average.", buffer: average, trainedOnly: false))
    }
    if trainer.state.pending > 0 {
      parts.append(Part(prefix: "gradient.", buffer: trainer.store.gradients, trainedOnly: true))
    }
    return parts
  }

  /// Writes everything that training needs to go on; the file appears whole or not at all.
  static func write(_ trainer: Trainer, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let training = try encoder.encode(Training(options: trainer.options, state: trainer.state))
    let network = Part(prefix: "", buffer: trainer.store.values, trainedOnly: false)
    let tensors = ([network] + optimiserParts(of: trainer)).flatMap { part in
      let source = Renamed(source: trainer.store.source(part.buffer), prefix: part.prefix)
      return part.tensors(of: trainer).map { parameter, _ in
        SafetensorsWriter.Tensor(part.prefix + parameter.name, from: source, shape: parameter.shape)
      }
    }
    var metadata = try trainer.description().metadata(isCheckpoint: true)
    metadata["blan.training"] = String(decoding: training, as: UTF8.self)
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
  }

  /// Makes a trainer as it was when the file was written.
  static func read(_ file: SafetensorsFile, threads: Int) throws -> Trainer {
    let description = try ModelDescription(checkpoint: file)
    guard let text = file.metadata["blan.training"] else {
      throw BLANError.format("\(file.name): the metadata has no `blan.training`")
    }
    let training: Training
    do {
      training = try JSONDecoder().decode(Training.self, from: Data(text.utf8))
    } catch {
      throw BLANError.format("\(file.name): `blan.training` is not what a trainer writes: \(error)")
    }
    try check(training.state, training.options, file.name)
    let trainer = try Trainer(
      Network(description.configuration, purpose: .training), source: file, options: training.options,
      threads: threads, state: training.state, licence: description.licence)
    try restore(trainer, from: file)
    return trainer
  }

  /// Numbers that no trainer has would trap or never end later.
  private static func check(_ state: TrainerState, _ options: TrainingOptions, _ name: String) throws {
    let counts = 0...TrainingOptions.mostSteps
    var isValid =
      counts.contains(state.batches) && (0...state.batches).contains(state.optimiserSteps)
      && (0..<max(options.accumulate, 1)).contains(state.pending)
    if let run = state.run {
      isValid =
        isValid && FitOptions.epochCounts.contains(run.setting.epochs) && run.setting.batch >= 1
        && run.setting.batchesPerEpoch >= 1 && counts.contains(run.setting.batchesPerEpoch)
        && (0...run.setting.epochs).contains(run.position.epoch)
        && (0...run.setting.batchesPerEpoch).contains(run.position.batch)
        && (0...run.setting.epochs).contains(run.bestEpoch) && counts.contains(run.firstEpoch)
        && (0...state.optimiserSteps).contains(run.firstStep) && counts.contains(run.totalSteps)
        && counts.contains(run.epochImages) && run.epochLosses.classification.count == Network.levelCount
        && run.epochLosses.mutualInformation.count == Network.levelCount
    }
    guard isValid else {
      throw BLANError.format("\(name): the state in `blan.training` contradicts itself")
    }
  }

  private static func restore(_ trainer: Trainer, from file: SafetensorsFile) throws {
    for part in optimiserParts(of: trainer) {
      for (parameter, slot) in part.tensors(of: trainer) {
        try file.withTensor(part.prefix + parameter.name, shape: parameter.shape) { values in
          guard let start = values.baseAddress else { return }
          (part.buffer.pointer + slot.offset).update(from: start, count: slot.count)
        }
      }
    }
  }
}

/// A source whose tensors are asked for with a prefix.
private struct Renamed<Source: TensorSource>: TensorSource {
  let source: Source
  let prefix: String

  func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    try source.withTensor(String(name.dropFirst(prefix.count)), shape: shape, body)
  }
}

extension Trainer {
  /// Opens what training starts from: a checkpoint goes on where it was saved, with its own options; a model is
  /// fine-tuned.
  ///
  /// - Throws: `BLANError.io`, `.format`, `.shape`, `.invalidArgument` (attributes for a checkpoint, options out of
  ///   range), `.outOfMemory`.
  public static func start(
    from path: UnsafePointer<CChar>, attributes: [String]? = nil, options: TrainingOptions, threads: Int
  ) throws -> Trainer {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["format"] == ModelDescription.checkpointFormat else {
      return try Trainer(from: ModelFile(path: path), attributes: attributes, options: options, threads: threads)
    }
    guard attributes == nil else {
      throw BLANError.invalidArgument("\(file.name) is a checkpoint, whose attributes are fixed; export a model first")
    }
    return try Checkpoint.read(file, threads: threads)
  }

  /// How many attributes the model or checkpoint at `path` has.
  ///
  /// - Throws: `BLANError.io`, `.format`.
  public static func attributeCount(of path: UnsafePointer<CChar>) throws -> Int {
    let file = try SafetensorsFile(path: path)
    let isCheckpoint = file.metadata["format"] == ModelDescription.checkpointFormat
    let description = try isCheckpoint ? ModelDescription(checkpoint: file) : ModelFile(path: path).description
    return description.configuration.attributes.count
  }

  /// Whether the weights are no longer random.
  private var hasLearnt: Bool { state.optimiserSteps > 0 || state.isFineTuning }

  /// What files of the weights say of them.
  fileprivate func description() throws -> ModelDescription {
    try ModelDescription(configuration: configuration, isTrained: hasLearnt, licence: licence)
  }

  /// Writes a checkpoint: weights, optimiser, schedule, random state and the place in the data, whole or not at all. It
  /// does not tell how many processes trained. Every process calls this; the first one writes.
  ///
  /// - Throws: `BLANError.io`, naming the path and the reason.
  public func save(to path: String) throws {
    try collectPendingGradients()
    try together {
      if isFirst { try Checkpoint.write(self, to: path) }
    }
  }

  /// Writes a model file, whole or not at all.
  ///
  /// - Parameters:
  ///   - type: how convolution and linear weights are stored.
  ///   - trainingHeads: whether the reconstruction and LMIM heads are kept.
  ///   - rawWeights: the weights themselves where a moving average is kept.
  public func export(
    to path: String, type: ElementType = .float32, trainingHeads: Bool = false, rawWeights: Bool = false
  ) throws {
    let buffer = rawWeights ? store.values : optimiser.average ?? store.values
    try ModelFile.write(description(), from: store.source(buffer), to: path, type: type, trainingHeads: trainingHeads)
  }
}

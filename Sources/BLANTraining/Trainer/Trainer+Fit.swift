import BLANData
import BLANTensors

extension Trainer {
  /// Trains for a number of epochs, validating after each.
  ///
  /// A trainer read from `last.safetensors` of a run that was cancelled or broken off goes on where that was saved, bit
  /// for bit, given the same options and data and the same instruction set and number of processes, with any number of
  /// threads. After a finished run another begins.
  ///
  /// Several processes each read and train on their part of every batch, so that the run is one of a single process but
  /// for rounding. All call this with the same data and options; the first one writes checkpoints.
  ///
  /// - Parameters:
  ///   - train: its columns are matched with the trainer's attributes by name; one that it lacks counts as unknown.
  ///   - validation: likewise; nil for none.
  ///   - progress: called on this thread; returns whether to go on.
  /// - Throws: `BLANError.cancelled` when `progress` ends the run, with a checkpoint written where checkpoints are;
  ///   `.invalidArgument` for options out of range, data without any of the attributes, validation data without a known
  ///   label, or data other than an unfinished run's; what ``step`` and reading images throw.
  public func fit(
    train: Dataset, validation: Dataset? = nil, options: FitOptions,
    progress: (TrainingProgress) -> Bool = { _ in true }
  ) throws {
    try withoutActuallyEscaping(progress) { progress in
      let run = try together {
        try options.validate()
        let train = try train.matched(with: configuration.attributes)
        let validation = try validation?.matched(with: configuration.attributes)
        if let validation, validation.labels.allSatisfy({ $0 == 0 }) {
          throw BLANError.invalidArgument(
            "\(validation.source) has no known label of the model's attributes; expected some to validate by")
        }
        return try FittingRun(self, train, validation, options, progress)
      }
      try run.go()
    }
  }
}

/// One call of ``Trainer/fit(train:validation:options:progress:)``.
private final class FittingRun {
  private let trainer: Trainer
  private let options: FitOptions
  private let loader: BatchLoader
  private let validationLoader: BatchLoader?
  private let folder: CheckpointFolder?
  private let tell: (TrainingProgress) -> Bool
  private let smallest: Int
  private var run: RunState
  private var pace: Pace

  init(
    _ trainer: Trainer, _ train: Dataset, _ validation: Dataset?, _ options: FitOptions,
    _ progress: @escaping (TrainingProgress) -> Bool
  ) throws {
    self.trainer = trainer
    self.options = options
    tell = progress
    folder = try options.checkpoints.map { try CheckpointFolder($0, writes: trainer.isFirst) }
    let smallest = trainer.usesMutualInformation ? 2 : 1
    guard options.batch >= smallest, train.count >= smallest else {
      throw BLANError.invalidArgument(
        "batches of \(options.batch) of \(train.count) images: LMIM needs at least 2, or alpha = 0")
    }
    var reading = Self.reading(trainer, options, batch: options.batch)
    reading.shuffles = true
    reading.augmentation = options.augmentation
    if trainer.communicator == nil { reading.minimumCount = smallest }
    let skips = SkippedImages(train)
    reading.onSkipped = { item, error in skips.add(item, error) }
    loader = try BatchLoader(dataset: train, options: reading)
    self.skips = skips
    self.smallest = smallest
    validationLoader = try validation.map { data in
      var reading = Self.reading(trainer, options, batch: min(options.batch, 64 * Self.part(trainer).count))
      // Kept images of the training data come first; the rest of the memory is for these.
      reading.cacheBytes = options.cacheBytes / 4
      return try BatchLoader(dataset: data, options: reading)
    }
    let setting = RunState.Setting(
      epochs: options.epochs, batch: options.batch, batchesPerEpoch: loader.batchesPerEpoch,
      data: train.fingerprint)
    run = try Self.nextRun(trainer, setting)
    pace = Pace()
  }

  private let skips: SkippedImages
  private var skippedCount = 0

  /// What this process reads of each batch.
  private static func part(_ trainer: Trainer) -> LoaderOptions.Part {
    trainer.communicator.map { LoaderOptions.Part(index: $0.group.rank, count: $0.group.size) } ?? .init()
  }

  private static func reading(_ trainer: Trainer, _ options: FitOptions, batch: Int) -> LoaderOptions {
    var reading = LoaderOptions(size: trainer.configuration.inputSize, batch: batch)
    reading.part = part(trainer)
    // How many images of a batch can be read, all processes together find out.
    reading.minimumCount = trainer.communicator == nil ? 1 : 0
    reading.mean = trainer.configuration.mean
    reading.std = trainer.configuration.std
    reading.seed = trainer.options.seed
    reading.workers = options.workers
    reading.cacheBytes = options.cacheBytes
    reading.unreadable = options.skipsUnreadable ? .skip : .stop
    return reading
  }

  /// The run that was broken off, or a new one behind the last.
  private static func nextRun(_ trainer: Trainer, _ setting: RunState.Setting) throws -> RunState {
    if let run = trainer.state.run, !run.isFinished {
      guard run.setting == setting else {
        throw BLANError.invalidArgument(
          "the run to go on with had \(run.setting.epochs) epochs of \(run.setting.batchesPerEpoch) batches of "
            + "\(run.setting.batch) images; these are \(setting.epochs) epochs of \(setting.batchesPerEpoch) batches of "
            + "\(setting.batch)\(run.setting.data == setting.data ? "" : ", with other images or labels")")
      }
      return run
    }
    let batches = setting.epochs * setting.batchesPerEpoch
    return RunState(
      setting: setting, firstEpoch: trainer.state.run.map { $0.firstEpoch + $0.setting.epochs } ?? 0,
      firstStep: trainer.state.optimiserSteps, totalSteps: batches / trainer.options.accumulate)
  }

  func go() throws {
    try checkOtherProcesses()
    trainer.state.run = run
    defer { loader.stop() }
    defer { validationLoader?.stop() }
    do {
      while !run.isFinished {
        try trainEpoch()
        try finishEpoch()
        try saveLast()
      }
    } catch let error as BLANError where error.kind == .cancelled {
      try saveLast()
      throw error
    }
  }

  /// All processes must go the same way through the same data.
  private func checkOtherProcesses() throws {
    guard let communicator = trainer.communicator else { return }
    var digest = Digest()
    digest.add(run.setting.data)
    digest.add(validationLoader?.dataset.fingerprint ?? 0)
    try communicator.expectSame(Double(digest.value), "images or labels")
    digest = Digest()
    for number in [options.epochs, options.batch, options.checkpointSteps, options.patience] {
      digest.add(UInt64(bitPattern: Int64(number)))
    }
    digest.add(folder == nil ? 0 : 1)
    digest.add(options.skipsUnreadable ? 1 : 0)
    for byte in "\(options.augmentation)".utf8 { digest.add(UInt64(byte)) }
    try communicator.expectSame(Double(digest.value), "number of epochs or other option of the run")
  }

  // MARK: - Training

  private func trainEpoch() throws {
    try loader.start(epoch: run.firstEpoch + run.position.epoch, batch: run.position.batch)
    var sinceSave = 0
    pace.restart()
    while let batch = try trainer.together({ try loader.next() }) {
      guard try trainer.total(counts: [batch.count], upTo: Trainer.largestBatch)[0] >= smallest else {
        run.position.batch = loader.position.batch
        try tellSkipped()
        continue
      }
      let report = try trainer.step(pixels: batch.pixels.pointer, labels: batch.labels.pointer, batch: batch.count)
      run.position.batch = loader.position.batch
      run.epochLosses.add(report.losses, weight: Double(report.images))
      run.epochImages += report.images
      trainer.state.run = run
      pace.step(images: report.images)
      sinceSave += 1
      try tellSkipped()
      var progress = progress(.step)
      progress.losses = report.losses
      progress.learningRate = report.learningRate
      progress.gradientNorm = report.gradientNorm
      try tellOrCancel(progress)
      // After the telling: a step that a checkpoint holds has been logged, even if the process is killed here.
      if options.checkpointSteps > 0, sinceSave >= options.checkpointSteps {
        try saveLast()
        sinceSave = 0
      }
    }
    run.position.batch = run.setting.batchesPerEpoch
    trainer.state.run = run
    try tellSkipped()
  }

  // MARK: - Validation

  /// Validates, tells, and goes to the next epoch, or past the last where the run ends early for want of progress.
  private func finishEpoch() throws {
    if validationLoader != nil { try saveLast() }
    let result = try validate()
    if isNewBest(result) { try folder?.save(trainer, as: .best) }
    var progress = progress(.epoch)
    progress.losses = run.epochLosses.scaled(by: 1 / Double(max(run.epochImages, 1)))
    progress.learningRate = trainer.state.learningRate
    progress.gradientNorm = trainer.state.gradientNorm
    progress.validation = result
    let goesOn = try trainer.all(tell(progress))
    let cancelled = cancelled()
    // Also for a run that is cancelled here: the epoch is over, and going on does not decide again.
    run.begin(epoch: lacksProgress ? run.setting.epochs : run.position.epoch + 1)
    guard goesOn else { throw cancelled }
  }

  /// Notes a better validation, and tells whether these weights are the best so far: the latest, as long as nothing could
  /// be measured.
  private func isNewBest(_ result: ValidationResult?) -> Bool {
    guard let accuracy = result?.accuracy, accuracy.isFinite else { return run.bestAccuracy == nil }
    guard accuracy > run.bestAccuracy ?? -1 else { return false }
    run.bestAccuracy = accuracy
    run.bestEpoch = run.position.epoch + 1
    trainer.state.run = run
    return true
  }

  /// Whether patience is at its end with this epoch.
  private var lacksProgress: Bool {
    options.patience > 0 && run.bestEpoch > 0 && run.position.epoch + 1 - run.bestEpoch >= options.patience
  }

  private func validate() throws -> ValidationResult? {
    guard let validationLoader else { return nil }
    let started = Pace.now()
    let weights = trainer.optimiser.average ?? trainer.store.values
    let validation = Validation(trainer)
    let result = try validation.run(trainer.store.source(weights), validationLoader) { done in
      var progress = progress(.validation)
      progress.validated = done
      return tell(progress)
    }
    pace.secondsOfValidation = Pace.now() - started
    return result
  }

  // MARK: - Telling and saving

  private func progress(_ event: TrainingProgress.Event) -> TrainingProgress {
    let perEpoch = run.setting.batchesPerEpoch
    let done = min(run.position.epoch * perEpoch + run.position.batch, run.setting.epochs * perEpoch)
    let total = run.setting.epochs * perEpoch
    var progress = TrainingProgress(
      event: event, epoch: min(run.position.epoch + 1, run.setting.epochs), epochs: run.setting.epochs, step: done,
      steps: total)
    progress.imagesPerSecond = pace.imagesPerSecond
    progress.secondsLeft = pace.secondsLeft(
      batches: total - done, epochs: run.setting.epochs - run.position.epoch - (event == .epoch ? 1 : 0))
    progress.bestAccuracy = run.bestAccuracy
    progress.bestEpoch = run.bestEpoch
    progress.validationCount = validationLoader?.dataset.count ?? 0
    progress.skipped = skippedCount
    return progress
  }

  private func tellOrCancel(_ progress: TrainingProgress) throws {
    guard try trainer.all(tell(progress)) else { throw cancelled() }
  }

  private func tellSkipped() throws {
    let messages = try trainer.lines(skips.take())
    skippedCount += messages.count
    for message in messages {
      var progress = progress(.skipped)
      progress.message = message
      try tellOrCancel(progress)
    }
  }

  private func cancelled() -> BLANError {
    .cancelled("training was cancelled after batch \(run.position.batch) of epoch \(run.position.epoch + 1)")
  }

  private func saveLast() throws {
    trainer.state.run = run
    try folder?.save(trainer, as: .last)
  }
}

/// Images that could not be read and have not been told of.
private final class SkippedImages: @unchecked Sendable {
  // Filled and emptied on the thread that trains: a loader reports there.
  private var messages: [String] = []
  private let dataset: Dataset

  init(_ dataset: Dataset) { self.dataset = dataset }

  func add(_ item: Int, _ error: BLANError) {
    messages.append("image \(item): \(error.message.replacing("\n", with: " "))")
  }

  func take() -> [String] {
    defer { messages.removeAll() }
    return messages
  }
}

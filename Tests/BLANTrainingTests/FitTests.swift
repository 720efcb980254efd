import BLANData
import BLANTensors
import BLANTestSupport
import Glibc
import Testing

@testable import BLANTraining

/// Runs over a few photos: where they stop, what they go on with, and what they leave.
@Suite struct FitTests {
  private let training: SmallTraining
  private let checkpoints: TemporaryFolder

  init() throws {
    training = try SmallTraining()
    checkpoints = try TemporaryFolder()
  }

  private static func photos(
    _ count: Int = 4, attributes: [String] = ["a", "b", "c"], broken: Bool = false, label: Int8? = nil
  ) throws -> Dataset {
    try Dataset(
      source: "photos", attributes: attributes,
      paths: broken ? (0..<count).map { "/nowhere/\($0).jpg" } : SmallModel.photos(count),
      labels: (0..<attributes.count * count).map { label ?? ($0 % 2 == 0 ? 1 : -1) })
  }

  private func options(_ change: (inout FitOptions) -> Void = { _ in }) -> FitOptions {
    var options = FitOptions()
    options.epochs = 2
    options.batch = 2
    options.workers = 1
    options.checkpoints = checkpoints.path
    change(&options)
    return options
  }

  private func resumed() throws -> Trainer {
    try Trainer.start(from: checkpoints.file("last.safetensors"), options: TrainingOptions(), threads: 2)
  }

  /// Trains until `stops` says so.
  private func fit(
    _ trainer: Trainer, _ data: Dataset, validation: Dataset? = nil, _ options: FitOptions,
    stops: (TrainingProgress) -> Bool
  ) throws {
    let error = #expect(throws: BLANError.self) {
      try trainer.fit(train: data, validation: validation, options: options) { !stops($0) }
    }
    #expect(error?.kind == .cancelled)
  }

  // MARK: - Going on

  /// A data set of links to the photos in a folder of its own.
  private static func linked(in folder: TemporaryFolder, _ names: [String]) throws -> Dataset {
    for (name, photo) in zip(names, SmallModel.photos(names.count)) { symlink(photo, folder.file(name)) }
    return try Dataset(
      source: folder.path, attributes: ["a", "b", "c"], paths: names.map(folder.file),
      labels: (0..<3 * names.count).map { $0 % 2 == 0 ? 1 : -1 })
  }

  @Test func aRunGoesOnWhereItsDataHaveMoved() throws {
    let names = (0..<4).map { "\($0).jpg" }
    let (old, new) = (try TemporaryFolder(), try TemporaryFolder())
    let whole = try training.trainer()
    try whole.fit(train: Self.linked(in: old, names), options: options { $0.checkpoints = nil })
    try fit(training.trainer(), Self.linked(in: old, names), options()) { $0.step == 1 }
    let other = try Self.linked(in: new, ["x.jpg"] + names.dropFirst())
    let error = #expect(throws: BLANError.self) { try resumed().fit(train: other, options: options()) }
    #expect(error?.message.contains("with other images or labels") == true)
    let trainer = try resumed()
    try trainer.fit(train: Self.linked(in: new, names), options: options())
    #expect(Array(trainer.store.values.elements) == Array(whole.store.values.elements))
  }

  /// A learning rate of 0 and frozen statistics: no epoch is better than the first.
  @Test func patienceEndsARunThatIsStoppedAtEveryEpoch() throws {
    let change = { (options: inout TrainingOptions) in
      options.learningRate = 0
      options.fusionLearningRate = 0
      options.statistics = .frozen
    }
    let data = try Self.photos()
    let patient = options {
      $0.epochs = 6
      $0.patience = 2
    }
    var epochs: [Int] = []
    let listen = { (progress: TrainingProgress) in if progress.event == .epoch { epochs.append(progress.epoch) } }
    try training.trainer(change).fit(
      train: data, validation: data,
      options: options {
        $0 = patient
        $0.checkpoints = nil
      }
    ) {
      listen($0)
      return true
    }
    #expect(epochs == [1, 2, 3])
    epochs = []
    var trainer = try training.trainer(change)
    for epoch in 1...3 {
      try fit(trainer, data, validation: data, patient) {
        listen($0)
        return $0.event == .epoch
      }
      #expect(epochs == Array(1...epoch))
      trainer = try resumed()
    }
    #expect(trainer.state.run?.isFinished == true)
  }

  // MARK: - What is refused

  /// A table that calls `a` otherwise, or knows nothing of it, teaches and measures nothing.
  @Test func dataWithoutTheAttributesAreRefused() throws {
    let trainer = try training.trainer()
    let (good, other, unknown) = (
      try Self.photos(), try Self.photos(attributes: ["A", "B"]), try Self.photos(label: 0)
    )
    for (train, validation, text) in [
      (other, nil, "none of the model's attributes: a, b, c"), (good, other, "none of the model's attributes"),
      (good, unknown, "no known label"),
    ] as [(Dataset, Dataset?, String)] {
      let error = #expect(throws: BLANError.self) {
        try trainer.fit(train: train, validation: validation, options: options())
      }
      #expect(error?.kind == .invalidArgument && error?.message.contains(text) == true)
    }
    #expect(trainer.stepCount == 0)
    try trainer.fit(train: Self.photos(2, attributes: ["c"]), options: options { $0.epochs = 1 })
    #expect(trainer.stepCount == 1)
  }

  // MARK: - What is left

  @Test func aRunWhoseValidationMeasuresNothingLeavesItsLatestWeights() throws {
    let trainer = try training.trainer()
    var told: [TrainingProgress] = []
    try trainer.fit(
      train: Self.photos(), validation: Self.photos(broken: true), options: options { $0.skipsUnreadable = true }
    ) {
      if $0.event == .epoch { told.append($0) }
      return true
    }
    #expect(told.map { $0.validation?.accuracy.isNaN } == [true, true])
    #expect(told.map(\.bestEpoch) == [0, 0])
    let best = try Trainer.start(
      from: checkpoints.file("best.safetensors"), options: TrainingOptions(), threads: 1)
    #expect(Array(best.store.values.elements) == Array(trainer.store.values.elements))
  }

  @Test func aValidationThatMeasuresNothingReplacesNoBest() throws {
    let trainer = try training.trainer()
    let data = try Self.photos()
    try fit(trainer, data, validation: data, options()) { $0.event == .epoch }
    let best = try Trainer.start(
      from: checkpoints.file("best.safetensors"), options: TrainingOptions(), threads: 1)
    #expect(best.stepCount == 2)
    let skipping = options { $0.skipsUnreadable = true }
    try resumed().fit(train: data, validation: Self.photos(broken: true), options: skipping)
    let still = try Trainer.start(
      from: checkpoints.file("best.safetensors"), options: TrainingOptions(), threads: 1)
    #expect(still.stepCount == 2 && still.state.run?.bestEpoch == 1)
  }
}

import BLANData
import BLANTensors
import BLANTestSupport
import BLANWeights
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import BLANTraining

/// Whole runs of several processes, beside the run of one.
@Suite struct SharedFitTests {
  private struct Outcome: Sendable {
    var values: [Float]
    var accuracy: Double?
    var steps: Int
    var skipped: [String] = []
  }

  private let folder: TemporaryFolder
  private let training: SmallTraining
  private let data: Dataset

  init() throws {
    folder = try TemporaryFolder()
    training = try SmallTraining()
    data = try Self.photos(13, labels: { ($0 * 7 + $1) % 3 == 0 ? 1 : -1 })
  }

  private static func photos(_ count: Int, broken: Int? = nil, labels: (Int, Int) -> Int8) throws -> Dataset {
    var paths = SmallModel.photos(count)
    if let broken { paths[broken] = "/nowhere.jpg" }
    return try Dataset(
      source: "photos", attributes: ["a", "b", "c"], paths: paths,
      labels: (0..<3 * count).map { labels($0 / 3, $0 % 3) })
  }

  private func options(_ change: (inout FitOptions) -> Void = { _ in }) -> FitOptions {
    var options = FitOptions()
    options.epochs = 2
    options.batch = 5
    options.workers = 1
    options.augmentation = Augmentation(shift: 0.1, brightness: 0.3, mirror: true)
    change(&options)
    return options
  }

  private static let change = { @Sendable (options: inout TrainingOptions) in
    options.accumulate = 2
    SharedStepTests.calm(&options)
  }

  private static func fit(
    _ trainer: Trainer, _ data: Dataset, _ options: FitOptions, stopAfter steps: Int = .max
  ) throws -> Outcome {
    let skipped = Mutex<[String]>([])
    var validation: Double?
    do {
      try trainer.fit(train: data, validation: data, options: options) { progress in
        if progress.event == .skipped { skipped.withLock { $0.append(progress.message ?? "") } }
        if progress.event == .epoch { validation = progress.validation?.accuracy }
        return !(progress.event == .step && progress.step >= steps)
      }
    } catch let error as BLANError where error.kind == .cancelled && steps < .max {}
    return Outcome(
      values: Array(trainer.store.values.elements), accuracy: validation, steps: trainer.stepCount,
      skipped: skipped.withLock { $0 })
  }

  private func run(_ size: Int, from path: String? = nil, _ options: FitOptions, stopAfter steps: Int = .max) throws
    -> [Outcome]
  {
    let (training, data) = (training, data)
    return try ThreadGroup(size).run { communicator in
      let trainer =
        try path.map { try Trainer.start(from: $0, options: TrainingOptions(), threads: 1) }
        ?? training.trainer(threads: 1, Self.change)
      try trainer.join(communicator)
      // Any process may stop the run.
      let isLast = communicator.group.rank == size - 1
      return try Self.fit(trainer, data, options, stopAfter: isLast ? steps : .max - 1)
    }.map { try $0.get() }
  }

  /// 13 images in batches of 5, the last of 3: four processes see empty parts. Stopped by the third process after the
  /// second step, while a gradient waits; gone on with by two, and by four.
  @Test func aRunGoesOnWithAnotherNumberOfProcesses() throws {
    let alone = try training.trainer(Self.change)
    let expected = try Self.fit(alone, data, options())
    #expect(expected.steps == 6)
    let whole = try run(4, options())
    let parts = options { $0.checkpoints = folder.path }
    let first = try run(3, parts, stopAfter: 3)
    #expect(first.map(\.steps) == [3, 3, 3])
    #expect(folder.names() == ["last.safetensors"])
    let last = folder.file("last.safetensors")
    let second = try run(2, from: last, parts, stopAfter: 5)
    #expect(second.map(\.steps) == [5, 5])
    let third = try run(4, from: last, parts)
    for outcome in whole + third {
      #expect(outcome.steps == 6)
      #expect(SharedStepTests.distance(outcome.values, expected.values) <= 1e-4)
      #expect(outcome.accuracy == expected.accuracy)
    }
    #expect(third.allSatisfy { $0.values == third[0].values })
    #expect(folder.names() == ["best.safetensors", "last.safetensors"])
  }

  @Test func anUnreadableImageOfOneIsToldToAll() throws {
    let data = try Self.photos(7, broken: 4, labels: { _, _ in 1 })
    let training = training
    let skipping = options {
      $0.batch = 3
      $0.skipsUnreadable = true
    }
    let expected = try Self.fit(training.trainer(SharedStepTests.calm), data, skipping)
    let fitting = { @Sendable (options: FitOptions) in
      { @Sendable (communicator: Communicator) in
        let trainer = try training.trainer(threads: 1, SharedStepTests.calm)
        try trainer.join(communicator)
        return try Self.fit(trainer, data, options)
      }
    }
    let outcomes = try ThreadGroup(2).run(fitting(skipping)).map { try $0.get() }
    for outcome in outcomes {
      #expect(outcome.skipped == expected.skipped && outcome.skipped.count == 1)
      #expect(outcome.steps == expected.steps)
      #expect(SharedStepTests.distance(outcome.values, expected.values) <= 1e-4)
    }
    let stopping = options { $0.batch = 3 }
    for outcome in try ThreadGroup(2).run(fitting(stopping)) {
      let error = #expect(throws: BLANError.self) { try outcome.get() }
      #expect(error?.kind == .io && error?.message.contains("/nowhere.jpg") == true)
    }
  }

  @Test func processesWithOtherDataAreRefused() throws {
    let training = training
    let outcomes = try ThreadGroup(2).run { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      let label: Int8 = communicator.group.rank == 0 ? 1 : -1
      let data = try Self.photos(6, labels: { _, _ in label })
      try trainer.fit(train: data, options: FitOptions())
    }
    for outcome in outcomes {
      let error = #expect(throws: BLANError.self) { try outcome.get() }
      #expect(error?.message == "process 1 has another images or labels than process 0")
    }
  }
}

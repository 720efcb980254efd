import BLANTensors
import BLANWeights
import Glibc
import Testing

@testable import BLANTraining

@Suite struct CheckpointTests {
  @Test func whatIsReadIsWhatWasWritten() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer {
      $0.accumulate = 3
      $0.averageDecay = 0.99
      $0.schedule = .cosine
      $0.totalSteps = 7
      $0.seed = .max
    }
    for _ in 0..<4 { try training.step(trainer) }
    let file = TemporaryFile()
    try trainer.save(to: file.path)
    let read = try Trainer.start(from: file.path, options: TrainingOptions(), threads: 5)
    #expect(read.options == trainer.options && read.state == trainer.state)
    #expect(read.state.pending == 1 && read.state.optimiserSteps == 1)
    for _ in 0..<3 { #expect(try training.step(read).losses == training.step(trainer).losses) }
    #expect(Array(read.store.values.elements) == Array(trainer.store.values.elements))
    #expect(read.optimiser.average.map { Array($0.elements) } == trainer.optimiser.average.map { Array($0.elements) })
  }

  /// A thousand damaged checkpoints: each is refused with a message or makes a trainer; none traps or hangs.
  @Test func aThousandDamagedCheckpointsAreSurvived() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer()
    try training.step(trainer)
    let file = TemporaryFile()
    try trainer.save(to: file.path)
    let bytes = try Self.bytes(of: file.path)
    let header = 8 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16
    var stream = RandomStream(seed: 1, key: "damage")
    var refused = 0
    for round in 0..<1000 {
      var damaged = Array(bytes.prefix(header))
      if round % 10 == 9 {
        damaged.removeLast(Int(stream.next() % UInt64(header)))
      } else {
        for _ in 0...Int(stream.next() % 4) {
          damaged[Int(stream.next() % UInt64(header))] = UInt8(truncatingIfNeeded: stream.next())
        }
        damaged += bytes[header...]
      }
      try Self.write(damaged, to: file.path)
      do {
        _ = try Trainer.start(from: file.path, options: TrainingOptions(), threads: 1)
      } catch let error as BLANError {
        refused += 1
        #expect(!error.message.isEmpty)
      }
    }
    #expect(refused > 500, "only \(refused) of 1000 were refused")
  }

  @Test func aStateThatContradictsItselfIsRefused() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer()
    let file = TemporaryFile()
    for change in [
      { $0.pending = 1 }, { $0.batches = -1 }, { $0.optimiserSteps = 3 }, { $0.pending = .max }, { $0.batches = .max },
      { $0.run = Self.run(epochs: 0) },
    ] as [(inout TrainerState) -> Void] {
      trainer.state = TrainerState()
      change(&trainer.state)
      try expectRefused(trainer, file)
    }
  }

  /// Numbers that arithmetic on them would carry past the largest integer.
  @Test func aRunOfNumbersThatOverflowIsRefused() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer()
    let file = TemporaryFile()
    let firsts = Self.run(firstEpoch: .max)
    let totals = Self.run(totalSteps: .max)
    var finished = Self.run(epochs: .max, firstEpoch: 1)
    finished.position.epoch = .max
    var images = Self.run()
    images.epochImages = .max
    var best = Self.run()
    best.bestEpoch = .min
    for run in [Self.run(epochs: .max), Self.run(batchesPerEpoch: .max), firsts, totals, finished, images, best] {
      trainer.state.run = run
      try expectRefused(trainer, file)
    }
    trainer.state.run = Self.run()
    try trainer.save(to: file.path)
    #expect(try Trainer.start(from: file.path, options: TrainingOptions(), threads: 1).state == trainer.state)
  }

  /// The options of a checkpoint are checked as any others are, and their sums are within reach of an `Int`.
  @Test(arguments: [Int.max, 1 << 54, -1]) func stepsOutOfRangeAreRefused(steps: Int) throws {
    let training = try SmallTraining()
    #expect(throws: BLANError.self) { try training.trainer { $0.warmupSteps = steps } }
    #expect(throws: BLANError.self) { try training.trainer { $0.totalSteps = steps } }
  }

  private static func run(
    epochs: Int = 2, batchesPerEpoch: Int = 3, firstEpoch: Int = 0, totalSteps: Int = 6
  ) -> RunState {
    RunState(
      setting: .init(epochs: epochs, batch: 4, batchesPerEpoch: batchesPerEpoch, data: 0), firstEpoch: firstEpoch,
      firstStep: 0, totalSteps: totalSteps)
  }

  private func expectRefused(
    _ trainer: Trainer, _ file: TemporaryFile, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try trainer.save(to: file.path)
    let error = #expect(throws: BLANError.self, sourceLocation: sourceLocation) {
      try Trainer.start(from: file.path, options: TrainingOptions(), threads: 1)
    }
    #expect(error?.message.contains("contradicts itself") == true, sourceLocation: sourceLocation)
  }

  @Test func leftoversOfKilledWritersAreRemoved() throws {
    let file = TemporaryFile()
    // No process has the largest number that a pid can have.
    let leftover = "\(file.path).\(pid_t.max).17.tmp"
    let living = "\(file.path).\(getpid()).17.tmp"
    let other = "\(file.path).note.tmp"
    for path in [leftover, living, other] { try Self.write([1], to: path) }
    defer { for path in [leftover, living, other] { unlink(path) } }
    AtomicFile.removeLeftovers(of: file.path)
    #expect(access(leftover, F_OK) != 0)
    #expect(access(living, F_OK) == 0 && access(other, F_OK) == 0)
  }

  private static func bytes(of path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "rb"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
    return bytes
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "wb"))
    defer { fclose(file) }
    try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }
}

/// A path that nothing has, removed with its last reference.
private final class TemporaryFile {
  let path = "/tmp/blan-checkpoint-\(getpid())-\(UInt32.random(in: 0 ... .max)).safetensors"
  deinit { unlink(path) }
}

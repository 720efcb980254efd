import BLANNetwork
import BLANTensors
import Testing

@testable import BLANTraining

/// Steps of several processes, beside those of one with the whole batch.
@Suite struct SharedStepTests {
  struct Case: Sendable {
    /// Images of each process in each step.
    var images: [[Int]]
    var accumulate = 1
    var variant = Variant.full
    var statistics = StatisticsMode.batch
  }

  /// Small steps: otherwise rounding grows tenfold with each step on a batch of noise, in one process as in several.
  static func calm(_ options: inout TrainingOptions) {
    options.learningRate = 1e-6
    options.fusionLearningRate = 1e-6
    options.epsilon = 1e-3
  }

  /// What is left of a trainer after its steps.
  private struct Outcome: Sendable {
    var losses: [Losses] = []
    var norms: [Double] = []
    var values: [Float] = []
    /// Adam's first: of the gradients of all steps.
    var moments: [Float] = []
    var running: [String: [Float]] = [:]
  }

  private static func outcome(_ reports: [Trainer.StepReport], _ trainer: Trainer) -> Outcome {
    var outcome = Outcome(
      losses: reports.map(\.losses), norms: reports.map(\.gradientNorm), values: Array(trainer.store.values.elements),
      moments: Array(trainer.optimiser.first.elements))
    for (parameter, slot) in zip(trainer.store.parameters, trainer.store.slots)
    where parameter.role == .runningMean || parameter.role == .runningVariance {
      outcome.running[parameter.name] = Array(outcome.values[slot.offset..<slot.offset + slot.count])
    }
    return outcome
  }

  static let cases: [Case] = [
    Case(images: [[2, 2], [2, 2]]), Case(images: [[1, 3], [3, 1]]), Case(images: [[1, 1, 1, 1], [1, 1, 1, 1]]),
    Case(images: [[0, 3, 1], [4, 0, 0], [0, 0, 2]]), Case(images: [[2, 1], [1, 2], [2, 2], [1, 1]], accumulate: 2),
    Case(images: [[2, 2], [0, 4]], variant: .encoder),
    Case(images: [[2, 2], [2, 2]], variant: .encoder, statistics: .frozen),
  ]

  @Test(arguments: cases) func processesTrainLikeOne(_ c: Case) throws {
    let training = try SmallTraining(variant: c.variant)
    let change = { @Sendable (options: inout TrainingOptions) in
      options.accumulate = c.accumulate
      options.statistics = c.statistics
      options.averageDecay = 0.9
      Self.calm(&options)
    }
    let single = { (training: SmallTraining) in
      let alone = try training.trainer(change)
      return Self.outcome(try c.images.map { try training.step(alone, images: 0..<$0.reduce(0, +)) }, alone)
    }
    let expected = try single(training)
    let disturbed = try Self.disturbed(c.variant).map(single)
    let moved = disturbed.map { Self.distance($0.moments, expected.moments) }.max() ?? 0
    let normsMoved = zip(expected.norms.indices, expected.norms).map { step, norm in
      disturbed.map { abs($0.norms[step] - norm) }.max() ?? 0
    }
    let group = ThreadGroup(c.images[0].count)
    let outcomes = try group.run { communicator in
      let trainer = try training.trainer(threads: 1, change)
      try trainer.join(communicator)
      let reports = try c.images.map { images in
        let first = images[..<communicator.group.rank].reduce(0, +)
        return try training.step(trainer, images: first..<first + images[communicator.group.rank])
      }
      return Self.outcome(reports, trainer)
    }.map { try $0.get() }
    #expect(!group.counts.contains(-1))
    for outcome in outcomes {
      #expect(outcome.values == outcomes[0].values && outcome.losses == outcomes[0].losses)
      for (losses, whole) in zip(outcome.losses, expected.losses) {
        for (term, single) in zip(losses.terms + [losses.total], whole.terms + [whole.total]) {
          #expect(abs(term - single) <= 1e-4 * max(abs(single), 1), "\(losses) \(whole)")
        }
      }
      for (step, norm) in outcome.norms.enumerated() {
        let single = expected.norms[step]
        #expect(abs(norm - single) <= 1e-3 * single + 2 * normsMoved[step])
      }
      #expect(Self.distance(outcome.values, expected.values) <= 1e-4)
      #expect(Self.distance(outcome.moments, expected.moments) <= 1e-3 + 2 * moved, "noise moves them by \(moved)")
      for (name, values) in outcome.running {
        #expect(Self.distance(values, expected.running[name] ?? []) <= 1e-4, "\(name)")
      }
    }
  }

  /// Every gradient of the first step, tensor by tensor: Adam would hide a wrong length.
  @Test func gradientsAreThoseOfTheWholeBatch() throws {
    let training = try SmallTraining()
    let alone = try training.trainer()
    try training.step(alone)
    let whole = Array(alone.store.gradients.elements)
    let slots = zip(alone.store.parameters, alone.store.slots).filter { alone.plan.isTrained($0.1) }
    let gradients = try ThreadGroup(3).run { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      try training.step(trainer, images: [0..<1, 1..<3, 3..<4][communicator.group.rank])
      return Array(trainer.store.gradients.elements)
    }.map { try $0.get() }
    let disturbed = try Self.disturbed(.full).map { training in
      let trainer = try training.trainer()
      try training.step(trainer)
      return Array(trainer.store.gradients.elements)
    }
    let noise = { (range: Range<Int>) in
      disturbed.map { Self.distance(Array($0[range]), Array(whole[range])) }.max() ?? 0
    }
    let moved = noise(whole.indices)
    for gradient in gradients {
      #expect(Self.distance(gradient, whole) <= 1e-4 + 2 * moved, "noise moves them by \(moved)")
    }
    for (parameter, slot) in slots {
      let range = slot.offset..<slot.offset + slot.count
      let moved = noise(range)
      for gradient in gradients {
        let distance = Self.distance(Array(gradient[range]), Array(whole[range]))
        #expect(distance <= 1e-3 + 2 * moved, "\(parameter.name): noise moves it by \(moved)")
      }
    }
  }

  /// With batch norm of each process alone the processes stay alike, and the running statistics follow all images.
  @Test func localBatchNormKeepsProcessesAlike() throws {
    let training = try SmallTraining()
    let values = try ThreadGroup(2).run(synchronised: false) { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      let rank = communicator.group.rank
      let losses = try (0..<3).map { _ in try training.step(trainer, images: 2 * rank..<2 * rank + 2).losses.total }
      return (Array(trainer.store.values.elements), losses, try Self.firstRunningMean(trainer))
    }.map { try $0.get() }
    #expect(values[0].0 == values[1].0 && values[0].1 == values[1].1)
    // The first convolution's output does not depend on batch norm: after a step its running mean is that of all images.
    let alone = try training.trainer()
    try training.step(alone)
    let one = try ThreadGroup(2).run(synchronised: false) { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      try training.step(trainer, images: communicator.group.rank == 0 ? 0..<1 : 1..<4)
      return try Self.firstRunningMean(trainer)
    }.map { try $0.get() }
    #expect(try Self.distance(one[0], Self.firstRunningMean(alone)) <= 1e-5)
    #expect(one[0] == one[1])
  }

  private static func firstRunningMean(_ trainer: Trainer) throws -> [Float] {
    let slot = try trainer.store.slot("encoder.bn1.running_mean")
    return Array(trainer.store.values.elements[slot.offset..<slot.offset + slot.count])
  }

  /// The bucket of the last layers leaves before the first layers have their gradients.
  @Test func gradientsLeaveInBuckets() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer()
    let buckets = GradientBuckets(trainer.plan, trainer.store)
    #expect(buckets.parts.count == trainer.plan.backwardOrder.count)
    let parts = buckets.parts.joined().sorted { $0.lowerBound < $1.lowerBound }
    for (part, next) in zip(parts, parts.dropFirst()) {
      #expect(part.upperBound <= next.lowerBound, "something is summed twice")
    }
    for slot in trainer.store.slots where trainer.plan.isTrained(slot) {
      #expect(parts.contains { $0.lowerBound <= slot.offset && slot.offset + slot.count <= $0.upperBound })
    }
  }

  @Test func aFaultOfOneStopsAllAndLeavesThemAsTheyWere() throws {
    let training = try SmallTraining()
    let outcomes = try ThreadGroup(3).run { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      let before = Array(trainer.store.values.elements)
      var labels = training.labels
      if communicator.group.rank == 1 { labels[1] = 5 }
      var message = ""
      do {
        _ = try labels.withUnsafeBufferPointer {
          try trainer.step(pixels: training.pixels.pointer, labels: #require($0.baseAddress), batch: 1)
        }
      } catch let error as BLANError {
        message = error.description
      }
      let isUnchanged = before == Array(trainer.store.values.elements)
      // And they can go on.
      try training.step(trainer, images: 0..<1)
      return (message, isUnchanged)
    }.map { try $0.get() }
    for (rank, outcome) in outcomes.enumerated() {
      let prefix = rank == 1 ? "invalidArgument: label 5" : "invalidArgument: process 1: label 5"
      #expect(outcome.0.hasPrefix(prefix), "\(outcome.0)")
      #expect(outcome.1)
    }
  }

  /// Whichever sum fails, the step ends with an error and changes no weight.
  @Test(arguments: [8, 20, 60]) func aSumThatFailsIsAnError(call: Int) throws {
    let training = try SmallTraining()
    let group = ThreadGroup(2)
    group.failing = call
    let messages = try group.run { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      let before = Array(trainer.store.values.elements)
      let error = #expect(throws: BLANError.self) { try training.step(trainer, images: 0..<2) }
      #expect(before == Array(trainer.store.values.elements))
      #expect(throws: BLANError.self) { try training.step(trainer, images: 0..<2) }
      return error?.description ?? ""
    }.map { try $0.get() }
    for message in messages {
      #expect(message.hasPrefix("io: process") && message.contains("allreduce failed and returned 7"), "\(message)")
    }
  }

  @Test func processesThatDifferAreRefused() throws {
    let training = try SmallTraining()
    for word in ["options", "weights"] {
      let outcomes = try ThreadGroup(2).run { communicator in
        let isOther = communicator.group.rank == 1
        let trainer = try training.trainer(threads: 1) { if isOther, word == "options" { $0.alpha = 0.2 } }
        if isOther, word == "weights" { trainer.store.values.pointer[3] += 1 }
        try trainer.join(communicator)
      }
      for outcome in outcomes {
        let error = #expect(throws: BLANError.self) { try outcome.get() }
        #expect(error?.message.contains("process 1 has another") == true)
        #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
      }
    }
    #expect(throws: BLANError.self) { try ProcessGroup(rank: 2, size: 2) { _, _ in 0 } }
    #expect(throws: BLANError.self) { try ProcessGroup(rank: 0, size: 0) { _, _ in 0 } }
  }

  /// The same training with noise of 1e-6 on the pixels. Parts of a batch are summed in another order, and LMIM's ReLUs
  /// have kinks: how far such rounding may carry a gradient on this CPU's kernels, the noise tells.
  private static func disturbed(_ variant: Variant) throws -> [SmallTraining] {
    try (1...3).map { period in
      let training = try SmallTraining(variant: variant)
      for index in 0..<training.pixels.count {
        training.pixels.pointer[index] += index / period % 2 == 0 ? 1e-6 : -1e-6
      }
      return training
    }
  }

  /// Length of the difference by the length of `b`.
  static func distance(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    let difference = zip(a, b).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    return (difference / max(b.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot()
  }
}

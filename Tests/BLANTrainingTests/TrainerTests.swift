import BLANNetwork
import BLANTensors
import BLANWeights
import Glibc
import Testing

@testable import BLANTraining

/// A small network and a batch to train it on.
struct SmallTraining {
  static let batch = 4
  let configuration: Configuration
  let pixels: AlignedBuffer<Float>
  let labels: [Int8]

  init(variant: Variant = .full) throws {
    configuration = try Configuration(inputSize: 64, width: 8, attributes: ["a", "b", "c"], variant: variant)
    var stream = RandomStream(seed: 4, key: "batch")
    pixels = try AlignedBuffer(count: Self.batch * 3 * 64 * 64)
    for index in 0..<pixels.count { pixels.pointer[index] = Float(2 * stream.nextUniform() - 1) }
    labels = (0..<Self.batch * 3).map { _ in stream.nextUniform() < 0.5 ? -1 : 1 }
  }

  func trainer(threads: Int = 2, _ change: (inout TrainingOptions) -> Void = { _ in }) throws -> Trainer {
    var options = TrainingOptions()
    options.seed = 5
    change(&options)
    return try Trainer(new: configuration, options: options, threads: threads)
  }

  @discardableResult
  func step(_ trainer: Trainer, images: Range<Int> = 0..<batch) throws -> Trainer.StepReport {
    try labels.withUnsafeBufferPointer { labels in
      try trainer.step(
        pixels: pixels.pointer + images.lowerBound * 3 * 64 * 64,
        labels: #require(labels.baseAddress) + images.lowerBound * 3, batch: images.count)
    }
  }
}

@Suite struct TrainerTests {
  @Test func theNumberOfThreadsChangesNothing() throws {
    let training = try SmallTraining()
    let trainers = try [1, 2, 5].map { try training.trainer(threads: $0) { $0.averageDecay = 0.9 } }
    for _ in 0..<3 {
      let losses = try trainers.map { try training.step($0).losses }
      #expect(losses[0] == losses[1] && losses[0] == losses[2])
    }
    let values = trainers.map { Array($0.store.values.elements) }
    #expect(values[0] == values[1] && values[0] == values[2])
  }

  @Test func anotherSeedDiffers() throws {
    let training = try SmallTraining()
    let first = try training.step(training.trainer()).losses
    #expect(try training.step(training.trainer()).losses == first)
    #expect(try training.step(training.trainer { $0.seed = 6 }).losses != first)
  }

  @Test func dropoutDiffersFromStepToStep() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer {
      $0.learningRate = 0
      $0.fusionLearningRate = 0
    }
    let first = try training.step(trainer).losses
    #expect(try training.step(trainer).losses.classification != first.classification)
    let without = try training.trainer {
      $0.learningRate = 0
      $0.fusionLearningRate = 0
      $0.dropout = 0
    }
    let still = try training.step(without).losses
    #expect(try training.step(without).losses == still)
  }

  /// Two half batches with frozen statistics have the gradient of the whole one: means over the batch.
  @Test func accumulatedBatchesAverageTheirGradients() throws {
    let training = try SmallTraining(variant: .encoder)
    let change = { (options: inout TrainingOptions) in
      options.dropout = 0
      options.statistics = .frozen
    }
    let whole = try training.trainer(change)
    let halves = try training.trainer {
      change(&$0)
      $0.accumulate = 2
    }
    try training.step(whole)
    try training.step(halves, images: 0..<2)
    let before = Array(halves.store.values.elements)
    #expect(halves.state.optimiserSteps == 0 && halves.state.pending == 1)
    try training.step(halves, images: 2..<4)
    #expect(halves.state.optimiserSteps == 1 && halves.state.pending == 0)
    #expect(Array(halves.store.values.elements) != before)
    for slot in whole.store.slots where whole.plan.isTrained(slot) {
      let name = whole.store.parameters[slot.index].name
      var difference: Float = 0
      var scale: Float = 1e-12
      for index in slot.offset..<slot.offset + slot.count {
        let single = whole.store.gradients.pointer[index]
        difference = max(difference, abs(halves.store.gradients.pointer[index] / 2 - single))
        scale = max(scale, abs(single))
      }
      #expect(difference < 1e-4 * scale, "\(name)")
    }
  }

  @Test func clippingBoundsTheGradient() throws {
    let training = try SmallTraining()
    let free = try training.trainer { $0.dropout = 0 }
    let norm = try training.step(free).gradientNorm
    #expect(norm > 1)
    // Adam does not see a gradient's length, so its first moment tells.
    let clipped = try training.trainer {
      $0.dropout = 0
      $0.clipNorm = 1
    }
    #expect(try training.step(clipped).gradientNorm == norm)
    let ratio = length(of: clipped.optimiser.first) / length(of: free.optimiser.first)
    #expect(abs(ratio - 1 / norm) < 1e-3 / norm)
  }

  private func length(of buffer: AlignedBuffer<Float>) -> Double {
    buffer.elements.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  @Test func frozenPartsStay() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer { $0.freeze = ["encoder", "attention.0.conv.weight"] }
    let before = Array(trainer.store.values.elements)
    try training.step(trainer)
    try training.step(trainer)
    for (parameter, slot) in zip(trainer.store.parameters, trainer.store.slots) {
      let isFrozen = parameter.name.hasPrefix("encoder.") || parameter.name == "attention.0.conv.weight"
      let range = slot.offset..<slot.offset + slot.count
      let isSame = Array(trainer.store.values.elements[range]) == Array(before[range])
      #expect(isSame == isFrozen, "\(parameter.name)")
    }
    #expect(throws: BLANError.self) { try training.trainer { $0.freeze = ["encode"] } }
  }

  /// What is frozen changes no gradient of what is not, whichever maps then have none.
  @Test(
    arguments: [.full, .concatenation] as [Variant],
    [
      ["encoder"], ["encoder", "decoder"], ["encoder", "classifiers"], ["classifiers", "fusion"],
      ["encoder", "decoder", "attention.0.conv", "attention.1.conv", "attention.2.conv"],
      ["encoder", "decoder", "attention.0.conv", "attention.0.channel", "attention.1.conv", "attention.1.spatial"],
      ["encoder", "classifiers.0", "classifiers.3.fc1", "fusion"],
    ])
  func freezingChangesNoOtherGradient(variant: Variant, freeze: [String]) throws {
    let training = try SmallTraining(variant: variant)
    let change = { (options: inout TrainingOptions) in options.statistics = .frozen }
    let free = try training.trainer(change)
    let known = freeze.filter { prefix in free.store.parameters.contains { $0.name.hasPrefix(prefix + ".") } }
    let frozen = try training.trainer {
      change(&$0)
      $0.freeze = known
    }
    #expect(try training.step(frozen).losses == training.step(free).losses)
    var trained = 0
    for (parameter, slot) in zip(frozen.store.parameters, frozen.store.slots) where frozen.plan.isTrained(slot) {
      let range = slot.offset..<slot.offset + slot.count
      let same = Array(frozen.store.gradients.elements[range]) == Array(free.store.gradients.elements[range])
      #expect(same, "\(parameter.name)")
      trained += 1
    }
    #expect(trained > 0)
  }

  @Test func aFrozenRunningStatisticStays() throws {
    let training = try SmallTraining()
    let names = ["encoder.bn1.running_mean", "encoder.layer1.0.bn1.running_var"]
    let frozen = try training.trainer { $0.freeze = names }
    let free = try training.trainer()
    let before = Array(frozen.store.values.elements)
    try training.step(frozen)
    try training.step(free)
    for (parameter, slot) in zip(frozen.store.parameters, frozen.store.slots) {
      let range = slot.offset..<slot.offset + slot.count
      let values = Array(frozen.store.values.elements[range])
      let expected = names.contains(parameter.name) ? Array(before[range]) : Array(free.store.values.elements[range])
      #expect(values == expected, "\(parameter.name)")
    }
    let slot = try free.store.slot(names[0])
    #expect(free.store.values.pointer[slot.offset] != before[slot.offset])
  }

  /// Weights and statistics stay; the gradients that waited are lost with the batch at fault.
  @Test func aLossThatIsNotFiniteDropsWhatWaited() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer { $0.accumulate = 2 }
    try training.step(trainer)
    let before = Array(trainer.store.values.elements)
    let pixel = training.pixels.pointer[0]
    training.pixels.pointer[0] = .nan
    let error = #expect(throws: BLANError.self) { try training.step(trainer) }
    training.pixels.pointer[0] = pixel
    #expect(error?.kind == .internal && error?.message.contains("not finite at step 2") == true)
    #expect(Array(trainer.store.values.elements) == before)
    #expect(trainer.state.pending == 0 && trainer.stepCount == 1)
    // The next two batches make one update.
    try training.step(trainer)
    #expect(Array(trainer.optimiser.first.elements).allSatisfy { $0 == 0 })
    try training.step(trainer)
    #expect(trainer.state.optimiserSteps == 1)
  }

  @Test func theAverageLagsBehind() throws {
    let training = try SmallTraining()
    let trainer = try training.trainer { $0.averageDecay = 0.5 }
    let start = Array(trainer.store.values.elements)
    try training.step(trainer)
    let average = try #require(trainer.optimiser.average)
    // The first decay is 1/10.
    for index in start.indices {
      let expected = 0.1 * start[index] + 0.9 * trainer.store.values.pointer[index]
      #expect(abs(average.pointer[index] - expected) <= 1e-6 * max(1, abs(expected)))
    }
  }

  @Test func fineTuningFreezesStatisticsOfSmallBatches() throws {
    let training = try SmallTraining()
    let folder = try TemporaryModel(training.configuration, isTrained: true)
    for (mode, moves) in [(StatisticsMode.automatic, false), (.batch, true), (.frozen, false)] {
      var options = TrainingOptions()
      options.statistics = mode
      let trainer = try Trainer.start(from: folder.path, options: options, threads: 2)
      let slot = try trainer.store.slot("encoder.bn1.running_mean")
      try training.step(trainer)
      let values = Array(trainer.store.values.elements[slot.offset..<slot.offset + slot.count])
      #expect((values != [Float](repeating: 0, count: slot.count)) == moves, "\(mode)")
    }
  }

  @Test func fineTuningKeepsHeadsByName() throws {
    let training = try SmallTraining()
    let folder = try TemporaryModel(training.configuration, isTrained: true)
    let trainer = try Trainer.start(
      from: folder.path, attributes: ["c", "new", "a"], options: TrainingOptions(), threads: 1)
    let model = try ModelFile(path: folder.path)
    let old = try model.withTensor("classifiers.2.fc2.weight", shape: [6, 64]) { Array($0) }
    let slot = try trainer.store.slot("classifiers.2.fc2.weight")
    let new = Array(trainer.store.values.elements[slot.offset..<slot.offset + slot.count])
    #expect(Array(new[0..<128]) == Array(old[256..<384]))
    #expect(Array(new[256..<384]) == Array(old[0..<128]))
    #expect(Array(new[128..<256]) != Array(old[128..<256]))
    let fusion = try trainer.store.slot("fusion.weight")
    let values = Array(trainer.store.values.elements[fusion.offset..<fusion.offset + fusion.count])
    #expect(values == [Float](repeating: 0.2, count: 15))
  }

  @Test(arguments: ["for tests alone", nil])
  func whatComesOfAModelKeepsItsLicence(licence: String?) throws {
    let training = try SmallTraining()
    let start = try TemporaryModel(training.configuration, isTrained: true, licence: licence)
    let kept = try TemporaryModel(training.configuration, isTrained: false)
    var trainer = try Trainer.start(from: start.path, options: TrainingOptions(), threads: 1)
    try trainer.save(to: kept.path)
    trainer = try Trainer.start(from: kept.path, options: TrainingOptions(), threads: 1)
    try trainer.export(to: kept.path)
    #expect(try ModelFile(path: kept.path).metadata["blan.licence"] == licence)
  }
}

/// A model file that is removed with its last reference.
final class TemporaryModel {
  let path: String

  init(_ configuration: Configuration, isTrained: Bool, licence: String? = nil) throws {
    path = "/tmp/blan-trainer-\(getpid())-\(UInt32.random(in: 0 ... .max)).safetensors"
    let network = Network(configuration, purpose: .training)
    try ModelFile.write(
      ModelDescription(configuration: configuration, isTrained: isTrained, licence: licence),
      from: SeededWeights(network, seed: 8), to: path, trainingHeads: true)
  }

  deinit { unlink(path) }
}

import BLANNetwork
import BLANTensors
import BLANWeights
import CBLANKernels

/// A network in training: weights, gradients, optimiser, schedule and random state.
///
/// A step is the same bit for bit for the same seed, weights and batch, whatever the number of threads; another instruction
/// set rounds otherwise. A trainer belongs to one thread at a time. After ``join(_:)`` a batch is divided among processes.
public final class Trainer {
  public let network: Network
  public let options: TrainingOptions
  public let threads: Int
  /// The terms of the model that training started from, which what comes of it keeps; nil where there are none.
  let licence: String?
  /// Losses, gradient norm and learning rate of the last step.
  public private(set) var lastStep: StepReport?

  /// Images of a process in one step.
  static let largestBatch = 65_536

  let store: ParameterStore
  let plan: TrainingPlan
  let optimiser: Optimiser
  var state: TrainerState
  /// The other processes; nil while training alone.
  var communicator: Communicator?
  var buckets: GradientBuckets?
  private var memory: TrainingMemory?

  /// What one step did.
  public struct StepReport: Sendable {
    public let losses: Losses
    /// Of the batch, in all processes.
    public let images: Int
    /// Adam's rate of the update that the step belongs to.
    public let learningRate: Double
    /// Norm of the gradient at the last update, before clipping.
    public let gradientNorm: Double
  }

  public var configuration: Configuration { network.configuration }
  /// Batches trained on so far.
  public var stepCount: Int { state.batches }

  init(
    _ network: Network, source: some TensorSource, options: TrainingOptions, threads: Int, state: TrainerState,
    licence: String? = nil
  ) throws {
    try options.validate(attributes: network.configuration.attributes.count)
    self.network = network
    self.options = options
    self.threads = try ThreadBudget.resolve(threads)
    self.state = state
    self.licence = licence
    let store = try ParameterStore(network.parameters, source: source)
    self.store = store
    let frozen = try FrozenTensors(options.freeze, in: store)
    plan = try TrainingPlan(network, store, weights: options.lossWeights, isFrozen: frozen.contains)
    optimiser = try Optimiser(store, keepsAverage: options.averageDecay > 0)
  }

  /// One step on a batch: losses, gradients, and every `accumulate`-th time an update of the weights.
  ///
  /// - Parameters:
  ///   - pixels: batch x 3 x S x S normalised floats.
  ///   - labels: batch x N: 1 present, -1 absent, 0 unknown.
  ///   - batch: images here: with several processes a part of the whole batch, whose order is that of ranks, and 0 in some
  ///     of them is no fault.
  /// - Throws: `BLANError.invalidArgument` for an empty batch, a label out of range, or a single image where LMIM needs a
  ///   second; `.internal`, naming step and term, for a loss or gradient that is not finite: weights and running statistics
  ///   are then as before, and gradients that waited for the next update are dropped; `.outOfMemory`; with several
  ///   processes what another one throws, and `.io` when a sum fails.
  @discardableResult
  public func step(pixels: UnsafePointer<Float>, labels: UnsafePointer<Int8>, batch: Int) throws -> StepReport {
    let memory = try together {
      try check(labels, batch: batch)
      return try self.memory(for: max(batch, 1))
    }
    let run = try makeRun(pixels, labels, batch, memory)
    let isUpdate = state.pending + 1 == options.accumulate
    forward(run)
    backward(run, sums: isUpdate)
    try combine(run)
    run.losses.losses.sum(weights: run.weights)
    let losses = run.losses.losses
    if let term = losses.nameOfNonFinite { throw notFinite("the loss term \(term)") }

    let rateFactor = rateFactor
    let scale = 1 / Float(options.accumulate)
    var norm = state.gradientNorm
    if isUpdate {
      norm = optimiser.gradientNorm(store, plan, scale: scale, threads: run.threads)
      guard norm.isFinite else { throw notFinite("the gradient") }
    }
    for layer in plan.layers { (layer as? BatchNormLayer)?.updateRunningStatistics(run) }
    if isUpdate {
      var clip: Float = 1
      if options.clipNorm > 0, norm > Double(options.clipNorm) { clip = Float(Double(options.clipNorm) / norm) }
      optimiser.update(
        store, plan, options, step: state.optimiserSteps, rateFactor: rateFactor, gradientScale: scale * clip,
        threads: run.threads)
      state.optimiserSteps += 1
    }
    state.pending = isUpdate ? 0 : state.pending + 1
    state.batches += 1
    state.learningRate = Double(options.learningRate * rateFactor)
    state.gradientNorm = norm
    let report = StepReport(
      losses: losses, images: run.wholeBatch, learningRate: state.learningRate, gradientNorm: norm)
    lastStep = report
    return report
  }

  // MARK: - Passes

  private func forward(_ run: LayerRun) {
    for layer in plan.layers where run.batch > 0 || layer is BatchNormLayer { layer.forward(run) }
  }

  /// - Parameter sums: whether gradients are summed over processes, each as soon as it is complete.
  private func backward(_ run: LayerRun, sums: Bool) {
    if run.batch == 0, !run.accumulate { store.gradients.pointer.update(repeating: 0, count: store.count) }
    var complete: [Range<Int>] = []
    for (place, index) in plan.backwardOrder.enumerated() {
      let layer = plan.layers[index]
      // Without images there is nothing to do but to take part in what the other processes exchange.
      if run.batch > 0 || layer is BatchNormLayer || layer is MutualInformationLoss { layer.backward(run) }
      guard let shared = run.shared, let buckets, sums else { continue }
      complete += buckets.parts[place]
      // The sums of a batch norm are waited for: a bucket in front of them would hold up the pass.
      if place + 1 < plan.backwardOrder.count,
        let next = plan.layers[plan.backwardOrder[place + 1]] as? BatchNormLayer, next.synchronises(run)
      {
        continue
      }
      for part in complete { shared.communicator.begin(store.gradients.pointer + part.lowerBound, count: part.count) }
      complete = []
    }
  }

  /// Takes together what the processes have of losses and statistics, once all sums of gradients are done.
  private func combine(_ run: LayerRun) throws {
    guard let shared = run.shared else { return }
    let communicator = shared.communicator
    communicator.finish()
    if !communicator.group.synchronisesBatchNorm {
      let count = plan.statisticsCount
      let rows = communicator.gather(count: count) { row in
        row.update(from: run.memory.statistics.pointer, count: count)
      }
      for layer in plan.layers {
        (layer as? BatchNormLayer)?.combineLocalStatistics(run, shared, rows: rows, stride: count)
      }
    }
    run.losses.losses = Losses(terms: try total(run.losses.losses.terms))
  }

  private func check(_ labels: UnsafePointer<Int8>, batch: Int) throws {
    let least = communicator == nil ? 1 : 0
    guard (least...Self.largestBatch).contains(batch) else {
      throw BLANError.invalidArgument("batch is \(batch); expected \(least) to \(Self.largestBatch)")
    }
    if communicator == nil { try checkWhole(batch) }
    let attributes = configuration.attributes.count
    for index in 0..<batch * attributes where !(-1...1).contains(labels[index]) {
      throw BLANError.invalidArgument(
        "label \(labels[index]) of image \(index / attributes), attribute "
          + "\(configuration.attributes[index % attributes]); expected 1, -1 or 0 (unknown)")
    }
  }

  private func checkWhole(_ batch: Int) throws {
    guard batch > 1 || !usesMutualInformation else {
      throw BLANError.invalidArgument(
        "a batch of \(batch) has no fake pair for LMIM; expected 2 images or alpha = 0")
    }
    guard batch > 0 else { throw BLANError.invalidArgument("no process has an image") }
  }

  var usesMutualInformation: Bool { options.alpha > 0 && configuration.variant.hasLMIM }

  private func makeRun(
    _ pixels: UnsafePointer<Float>, _ labels: UnsafePointer<Int8>, _ batch: Int, _ memory: TrainingMemory
  ) throws -> LayerRun {
    memory.written.removeAll()
    let shared = try communicator.map { communicator in
      let images = try communicator.gather(counts: [batch], upTo: Self.largestBatch).map { $0[0] }
      return SharedStep(communicator: communicator, images: images)
    }
    if let shared { try checkWhole(shared.wholeBatch) }
    var dropoutStream = RandomStream(seed: options.seed, key: "dropout/\(state.batches)")
    return LayerRun(
      plan: plan, store: store, memory: memory, batch: batch, threads: Int32(threads), pixels: pixels, labels: labels,
      weights: options.lossWeights, dropout: options.dropout, dropoutSeed: dropoutStream.next(),
      frozenStatistics: freezesStatistics(batch: shared?.wholeBatch ?? batch), accumulate: state.pending > 0,
      losses: LossRecord(), shared: shared)
  }

  private func memory(for batch: Int) throws -> TrainingMemory {
    if let memory, memory.capacity >= batch { return memory }
    memory = nil
    let made = try TrainingMemory(plan, capacity: batch, threads: Int32(threads))
    memory = made
    return made
  }

  private func freezesStatistics(batch: Int) -> Bool {
    switch options.statistics {
    case .batch: return false
    case .frozen: return true
    case .automatic: return state.isFineTuning && batch < StatisticsMode.smallestReliableBatch
    }
  }

  /// Share of the first learning rate at the next update.
  private var rateFactor: Float {
    let first = state.run?.firstStep ?? 0
    let total = options.totalSteps > 0 ? options.totalSteps : state.run?.totalSteps ?? 0
    return options.schedule.factor(
      step: state.optimiserSteps - first, total: total, warmup: options.warmupSteps, final: options.finalRate)
  }

  private func notFinite(_ what: String) -> BLANError {
    state.pending = 0
    return .internal(
      "\(what) is not finite at step \(state.batches + 1); the weights are those of step \(state.batches). "
        + "A lower learning rate or clip_norm may help")
  }
}

/// The tensors that stay as they are, by prefixes of their names.
private struct FrozenTensors {
  private let slots: Set<ParameterStore.Slot>

  /// - Throws: `BLANError.invalidArgument` for a prefix that no tensor has.
  init(_ prefixes: [String], in store: ParameterStore) throws {
    var slots: Set<ParameterStore.Slot> = []
    for prefix in prefixes {
      let matches = zip(store.parameters, store.slots).filter { parameter, _ in
        parameter.name == prefix || parameter.name.hasPrefix(prefix + ".")
      }
      guard !matches.isEmpty else {
        throw BLANError.invalidArgument("freeze names \"\(prefix)\", but no tensor of the network begins with it")
      }
      slots.formUnion(matches.map(\.1))
    }
    self.slots = slots
  }

  func contains(_ slot: ParameterStore.Slot) -> Bool { slots.contains(slot) }
}

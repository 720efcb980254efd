import BLANNetwork
import BLANTensors
import BLANWeights

/// Gradient-weighted class activation maps (Selvaraju et al. 2017) at the four levels of the network.
///
/// With A the features that AC_i reads (C x H x W) and y the score that is explained, the map of level i is
/// L = Σ_k α_k A_k, α_k the mean over H x W of ∂y/∂A_k: the paper's before its ReLU, so that places that speak against the
/// attribute show as well. Where AC_i reads two maps (variant 4), both add up. A gradient is the whole one: y may depend
/// on the features of a level through other levels too, as it does on F_enc4 through the decoder. Batch norms use their
/// running statistics, as in prediction.
///
/// It never changes: any number of threads may use one at the same time.
public final class GradCAM: @unchecked Sendable {
  public let configuration: Configuration
  public let threads: Int
  /// Height and width of each level's map, shallowest first.
  public let mapSizes: [Int]

  private let store: ParameterStore
  private let plan: TrainingPlan
  private let end: ExplainedScore
  private let fusion: UnsafePointer<Float>?
  /// What AC_i reads.
  private let features: [[EnlargedMap]]
  /// The memory of calls that are over; as many as there were ever calls at once.
  private let idle = Mutex<[TrainingMemory]>([])

  /// - Parameters:
  ///   - file: read during the call and not kept.
  ///   - threads: threads a call works on, 1 to 1024; 0 for ``ThreadBudget/automatic()``.
  public convenience init(_ file: ModelFile, threads: Int) throws {
    try self.init(file.description.configuration, source: file, threads: threads)
  }

  init(_ configuration: Configuration, source: some TensorSource, threads: Int) throws {
    self.configuration = configuration
    self.threads = try ThreadBudget.resolve(threads)
    let network = Network(configuration)
    mapSizes = network.levels.map { network.graph[$0.features[0]].shape.height }
    store = try ParameterStore(network.parameters, source: source, keepsGradients: false)
    plan = try TrainingPlan(
      network, store, weights: LossWeights(), isFrozen: { _ in true }, observing: network.levels.flatMap(\.features))
    let lowering = plan.lowering
    features = network.levels.map { $0.features.compactMap { lowering.map(of: $0) } }
    guard let end = plan.layers.lazy.compactMap({ $0 as? ExplainedScore }).first else {
      throw BLANError.internal("the plan of an explanation has no end")
    }
    self.end = end
    if case .fuseScores(let name, _) = network.graph[network.decision].operation {
      fusion = UnsafePointer(store.values.pointer + (try store.slot(name)).offset)
    } else {
      fusion = nil
    }
  }

  /// Floats of the four maps of one target.
  public var mapCount: Int { mapSizes.reduce(0) { $0 + $1 * $1 } }

  /// The maps of one image for several targets.
  ///
  /// - Parameters:
  ///   - pixels: 3 x S x S normalised floats.
  ///   - maps: a target's four maps one after another, shallowest first, then the next target's: `mapCount` each.
  ///   - values: the target's scores; may be nil.
  ///   - progress: told of the targets done; returns whether to go on.
  /// - Throws: `BLANError.invalidArgument` for a target that the network does not have; `.cancelled` when `progress` says
  ///   so; `.outOfMemory`.
  public func explain(
    _ pixels: UnsafePointer<Float>, targets: [ScoreTarget], into maps: UnsafeMutablePointer<Float>,
    values: UnsafeMutablePointer<Float>? = nil, progress: (Int) -> Bool = { _ in true }
  ) throws {
    try ScoreTarget.check(targets, configuration)
    let memory = try idle.withLock { $0.popLast() } ?? TrainingMemory(plan, capacity: 1, threads: Int32(threads))
    defer { idle.withLock { $0.append(memory) } }
    let unknown = [Int8](repeating: 0, count: configuration.attributes.count)
    try unknown.withUnsafeBufferPointer { labels in
      guard let labels = labels.baseAddress else { return }
      var run = LayerRun(
        plan: plan, store: store, memory: memory, batch: 1, threads: Int32(threads), pixels: pixels, labels: labels,
        weights: LossWeights(), dropout: 0, dropoutSeed: 0, frozenStatistics: true, accumulate: false,
        losses: LossRecord())
      for layer in plan.layers { layer.forward(run) }
      for (index, target) in targets.enumerated() {
        let weights = ScoreWeights(target, fusion: fusion, attributes: configuration.attributes.count)
        run.explained = weights
        values?[index] = end.value(run, weights)
        goBack(run, into: maps + index * mapCount)
        guard progress(index + 1) else {
          throw BLANError.cancelled("the explanation was cancelled after \(index + 1) of \(targets.count) targets")
        }
      }
    }
  }

  /// One backward pass; each observed map adds its share once its gradient is whole.
  private func goBack(_ run: LayerRun, into maps: UnsafeMutablePointer<Float>) {
    maps.update(repeating: 0, count: mapCount)
    run.memory.written.removeAll()
    for index in plan.backwardOrder {
      let layer = plan.layers[index]
      if let out = layer.output { add(out, run, to: maps) }
      // Before the first features there is nothing that anybody wants to know.
      if layer.differentiated.contains(where: plan.wantsGradient) { layer.backward(run) }
    }
  }

  /// Adds Σ_k α_k A_k of a map to those of the levels that read it.
  private func add(_ map: MapID, _ run: LayerRun, to maps: UnsafeMutablePointer<Float>) {
    var out = maps
    for (side, sources) in zip(mapSizes, features) {
      for source in sources where source.map == map {
        ActivationMap(source, side: side).add(values: run.values(map), gradient: run.gradient(map), to: out)
      }
      out += side * side
    }
  }
}

/// The weighted sum over channels of one map, as the classifier sees it.
private struct ActivationMap {
  let shape: TensorShape
  let factor: Int
  let side: Int

  init(_ source: EnlargedMap, side: Int) {
    shape = source.shape
    factor = source.factor
    self.side = side
  }

  /// - Parameters: blocked, of the map in memory. The gradient of an enlarged map is the sum over the places that one
  ///   number was copied to, so its mean over the enlarged places is this sum over their number.
  func add(
    values: UnsafePointer<Float>, gradient: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>
  ) {
    let block = ChannelBlock.size
    for first in stride(from: 0, to: shape.channels, by: block) {
      let start = first * shape.area
      for lane in 0..<min(block, shape.channels - first) {
        var sum = 0.0
        for place in 0..<shape.area { sum += Double(gradient[start + place * block + lane]) }
        let weight = Float(sum / Double(side * side))
        for row in 0..<side {
          let line = start + row / factor * shape.width * block + lane
          for column in 0..<side { out[row * side + column] += weight * values[line + column / factor * block] }
        }
      }
    }
  }
}

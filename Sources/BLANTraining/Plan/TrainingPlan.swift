import BLANInference
import BLANNetwork
import BLANTensors

/// The layers of a network in training, with a place in one arena for every map and every gradient.
///
/// Time runs from the first layer's forward pass to the last's, and back. A map lives until the last pass that reads it;
/// a gradient from the first layer that writes it to the backward pass of the layer that made the map.
struct TrainingPlan {
  let layers: [any TrainingLayer]
  let arena: ArenaPlanner
  let statisticsCount: Int
  /// Index in the arena of each map's gradient; that of its values is its own.
  private let gradientRequests: [Int]
  private let wanted: [Bool]
  private let trained: Set<ParameterStore.Slot>
  /// Layers whose backward pass has something to do, last first.
  let backwardOrder: [Int]
  /// Floats of the gradients that one layer computes of tensors that are not trained.
  let discardedCount: Int
  private let discards: [ParameterStore.Slot: Int]
  /// Where a node's values lie.
  let lowering: TrainingLowering

  /// - Parameters:
  ///   - isFrozen: whether a tensor stays as it is; it then gets no gradient.
  ///   - observing: nodes whose gradients an explanation reads, each before the backward pass of the layer that made it.
  ///     The plan then ends in ``ExplainedScore`` in place of losses, and what backward passes read outlives them, so that
  ///     there may be several after one forward pass.
  init(
    _ network: Network, _ store: ParameterStore, weights: LossWeights,
    isFrozen: @escaping (ParameterStore.Slot) -> Bool, observing: [NodeID] = []
  ) throws {
    let lowering = try TrainingLowering(
      network, store, weights: weights, isFrozen: isFrozen, endsInScore: !observing.isEmpty)
    self.lowering = lowering
    layers = lowering.layers
    statisticsCount = max(lowering.statisticsCount, 1)
    let observed = Set(observing.compactMap { lowering.map(of: $0)?.map })
    let flow = GradientFlow(layers, mapCount: lowering.counts.count, observed: observed, isFrozen: isFrozen)
    wanted = flow.wanted
    trained = flow.trained
    backwardOrder = flow.backwardOrder

    (discards, discardedCount) = Self.discards(layers, flow)

    let lifetimes = Self.lifetimes(layers, flow, counts: lowering.counts, observed: observed)
    gradientRequests = lifetimes.gradients
    arena = ArenaPlanner(lifetimes.requests)
  }

  func valueOffset(_ map: MapID) -> Int { arena.offsets[map.index] }
  func gradientOffset(_ map: MapID) -> Int { arena.offsets[gradientRequests[map.index]] }
  func wantsGradient(_ map: MapID) -> Bool { wanted[map.index] }
  func isTrained(_ slot: ParameterStore.Slot) -> Bool { trained.contains(slot) }
  /// Where the gradient of a tensor that is not trained goes while its layer runs; nil for one that is trained.
  func discardOffset(_ slot: ParameterStore.Slot) -> Int? { discards[slot] }

  /// Places for the gradients of tensors that are not trained. All layers share them: nobody reads them.
  private static func discards(
    _ layers: [any TrainingLayer], _ flow: GradientFlow
  ) -> (offsets: [ParameterStore.Slot: Int], count: Int) {
    var offsets: [ParameterStore.Slot: Int] = [:]
    var most = 0
    for index in flow.backwardOrder {
      var count = 0
      for slot in layers[index].parameters where !flow.trained.contains(slot) {
        offsets[slot] = count
        count += ChannelBlock.padded(slot.count)
      }
      most = max(most, count)
    }
    return (offsets, most)
  }

  /// One request for each map's values, then one for each gradient that has a place of its own; and for each map the
  /// index of its gradient's request.
  private static func lifetimes(
    _ layers: [any TrainingLayer], _ flow: GradientFlow, counts: [Int], observed: Set<MapID>
  ) -> (requests: [ArenaPlanner.Request], gradients: [Int]) {
    let end = 2 * layers.count
    var requests = counts.map { ArenaPlanner.Request(count: $0, birth: end, death: 0) }
    for (time, layer) in layers.enumerated() {
      if let out = layer.output?.index {
        requests[out] = ArenaPlanner.Request(count: counts[out], birth: time, death: time)
      }
      for input in layer.inputs { requests[input.index].death = max(requests[input.index].death, time) }
    }
    for index in flow.backwardOrder {
      for map in layers[index].keptForBackward {
        let time = observed.isEmpty ? end - 1 - index : end
        requests[map.index].death = max(requests[map.index].death, time)
      }
    }
    for map in observed { requests[map.index].death = end }
    // A batch norm turns the gradient of its output into that of its source in place.
    var gradientOf = Array(counts.indices)
    for layer in layers.reversed() {
      if let norm = layer as? BatchNormLayer { gradientOf[norm.source.index] = gradientOf[norm.out.index] }
    }
    var births = [Int](repeating: end, count: counts.count)
    var deaths = [Int](repeating: -1, count: counts.count)
    for index in flow.backwardOrder {
      let time = end - 1 - index
      let wanted = layers[index].differentiated.filter { flow.wanted[$0.index] }
      for map in wanted + layers[index].writtenAnyway + [layers[index].output].compactMap({ $0 }) {
        births[gradientOf[map.index]] = min(births[gradientOf[map.index]], time)
        deaths[gradientOf[map.index]] = max(deaths[gradientOf[map.index]], time)
      }
    }
    var placed = [Int](repeating: 0, count: counts.count)
    for map in counts.indices where gradientOf[map] == map && deaths[map] >= 0 {
      placed[map] = requests.count
      requests.append(ArenaPlanner.Request(count: counts[map], birth: births[map], death: deaths[map]))
    }
    return (requests, gradientOf.map { placed[$0] })
  }
}

/// Which gradients exist: those that lead from a loss to a tensor that is trained, or from a score to a map that is observed.
private struct GradientFlow {
  /// For each map, whether it is observed or has a tensor that is trained, or a map that is observed, before it.
  let wanted: [Bool]
  let trained: Set<ParameterStore.Slot>
  let backwardOrder: [Int]

  init(
    _ layers: [any TrainingLayer], mapCount: Int, observed: Set<MapID>, isFrozen: (ParameterStore.Slot) -> Bool
  ) {
    var wanted = (0..<mapCount).map { observed.contains(MapID(index: $0)) }
    for layer in layers {
      guard let out = layer.output else { continue }
      wanted[out.index] =
        wanted[out.index]
        || layer.parameters.contains { !isFrozen($0) } || layer.differentiated.contains { wanted[$0.index] }
    }
    var reached = [Bool](repeating: false, count: mapCount)
    var trained: Set<ParameterStore.Slot> = []
    var order: [Int] = []
    for (index, layer) in layers.enumerated().reversed() {
      if let out = layer.output, !(wanted[out.index] && reached[out.index]) { continue }
      order.append(index)
      for map in layer.differentiated where wanted[map.index] { reached[map.index] = true }
      trained.formUnion(layer.parameters.filter { !isFrozen($0) })
    }
    self.wanted = wanted
    self.trained = trained
    backwardOrder = order
  }
}

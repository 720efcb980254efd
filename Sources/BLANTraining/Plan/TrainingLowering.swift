import BLANNetwork
import BLANTensors

/// Turns the graph of a network into layers with a forward and a backward pass.
///
/// Batch norms take the sum and the ReLU behind them along; concatenations and nearest-neighbour enlargements are ways of
/// reading; RDAM's last product takes the residual connection along; each loss is one layer.
struct TrainingLowering {
  private let network: Network
  private let graph: Graph
  private let store: ParameterStore
  private let weights: LossWeights
  private let isFrozen: (ParameterStore.Slot) -> Bool
  private let endsInScore: Bool
  private let consumers: [[NodeID]]

  /// What the layer of a node takes along: nodes that get no layer of their own.
  private struct NormChain {
    let batchNorm: Node
    var residual: NodeID?
    var relu = false
  }
  private var chains: [NodeID: NormChain] = [:]
  private var sums: [NodeID: (product: Node, residual: NodeID)] = [:]
  private var absorbed: Set<NodeID> = []

  private(set) var layers: [any TrainingLayer] = []
  /// Floats of one image in each map.
  private(set) var counts: [Int] = []
  private(set) var statisticsCount = 0
  private var maps: [NodeID: EnlargedMap] = [:]

  /// - Parameter endsInScore: whether an attribute's score is differentiated in place of the losses.
  init(
    _ network: Network, _ store: ParameterStore, weights: LossWeights,
    isFrozen: @escaping (ParameterStore.Slot) -> Bool, endsInScore: Bool
  ) throws {
    self.network = network
    self.store = store
    self.weights = weights
    self.isFrozen = isFrozen
    self.endsInScore = endsInScore
    graph = network.graph
    consumers = graph.consumers()
    findChains()
    for node in graph.nodes where !absorbed.contains(node.id) { try lower(node) }
  }

  /// The map that holds a node's values, if the node has one of its own or is an enlargement of one.
  func map(of node: NodeID) -> EnlargedMap? { maps[node] }

  // MARK: - What goes together

  /// Chains are found from their last node backwards, so that the longest wins.
  private mutating func findChains() {
    for node in graph.nodes.reversed() where !absorbed.contains(node.id) {
      switch node.operation {
      case .relu: findNormChain(endingAt: node)
      case .batchNorm: chains[node.id] = NormChain(batchNorm: node)
      case .add:
        guard let product = soleSource(node.inputs[0]), case .multiply = product.operation else { continue }
        absorbed.insert(product.id)
        sums[node.id] = (product, node.inputs[1])
      default: break
      }
    }
  }

  private mutating func findNormChain(endingAt relu: Node) {
    guard var source = soleSource(relu.inputs[0]) else { return }
    var inner = [source.id]
    var residual: NodeID?
    if case .add = source.operation {
      residual = source.inputs[1]
      guard let below = soleSource(source.inputs[0]) else { return }
      source = below
      inner.append(source.id)
    }
    guard case .batchNorm = source.operation else { return }
    absorbed.formUnion(inner)
    chains[relu.id] = NormChain(batchNorm: source, residual: residual, relu: true)
  }

  /// The node, if one other node alone reads it.
  private func soleSource(_ id: NodeID) -> Node? { consumers[id.index].count == 1 ? graph[id] : nil }

  // MARK: - Layers

  private mutating func lower(_ node: Node) throws {
    if let chain = chains[node.id] { return try lower(chain, to: node) }
    if let sum = sums[node.id] { return try lowerProduct(sum.product, residual: sum.residual, to: node) }
    switch node.operation {
    case .input:
      break  // pixels come from the caller
    case .convolution(let convolution):
      try lower(convolution, node)
    case .maxPool:
      let source = try map(node.inputs[0])
      layers.append(MaxPoolLayer(out: newMap(node), source: source.map, shape: source.shape))
    case .upsample(let factor):
      let below = try map(node.inputs[0])
      maps[node.id] = EnlargedMap(map: below.map, shape: below.shape, factor: below.factor * factor)
    case .channelGate(let gate):
      try lower(gate, node)
    case .spatialGate(let gate):
      let source = try map(node.inputs[0])
      layers.append(
        SpatialAttentionLayer(
          out: newMap(node), source: source.map, shape: source.shape, weight: try store.slot(gate.weight)))
    case .multiply:
      try lowerProduct(node, residual: nil, to: node)
    case .linear(let linear):
      let source = try map(node.inputs[0])
      layers.append(
        LinearLayer(
          out: newMap(node), source: source.map, shape: source.shape, outputs: linear.outputs,
          weight: try store.slot(linear.weight), bias: try store.slot(linear.bias)))
    case .dropout:
      let source = try map(node.inputs[0])
      let level = layers.count(where: { $0 is DropoutLayer })
      layers.append(DropoutLayer(out: newMap(node), source: source.map, shape: source.shape, level: level))
    case .sumScores:
      try lowerDecision()
    case .fuseScores:
      break  // part of the decision's loss
    case .mutualInformation(let head):
      try lower(head, node)
    case .batchNorm, .relu, .add:
      throw BLANError.internal("no layer trains node \(node.id.index) of \(node.module)")
    }
  }

  private mutating func lower(_ convolution: Convolution, _ node: Node) throws {
    let weight = try store.slot(convolution.weight)
    let bias = try convolution.bias.map { try store.slot($0) }
    if node.inputs == [network.pixels] {
      return layers.append(
        StemConvolutionLayer(
          out: newMap(node), weight: weight, inputSize: network.configuration.inputSize,
          outputChannels: convolution.outputChannels))
    }
    let sources = try node.inputs.map { try map($0) }
    if node.id == network.reconstruction, let bias {
      guard weights.beta > 0 else { return }
      return layers.append(ReconstructionLoss(source: sources[0], weight: weight, bias: bias))
    }
    layers.append(
      ConvolutionLayer(out: newMap(node), sources: sources, convolution: convolution, weight: weight, bias: bias))
  }

  private mutating func lower(_ chain: NormChain, to node: Node) throws {
    guard case .batchNorm(let layer) = chain.batchNorm.operation else { return }
    let source = try map(chain.batchNorm.inputs[0])
    let residual = try chain.residual.map { try map($0).map }
    let weight = try store.slot(layer.weight)
    let runningMean = try store.slot(layer.runningMean)
    let runningVariance = try store.slot(layer.runningVariance)
    layers.append(
      BatchNormLayer(
        out: newMap(node), source: source.map, shape: source.shape, residual: residual, relu: chain.relu,
        weight: weight, bias: try store.slot(layer.bias), runningMean: runningMean, runningVariance: runningVariance,
        isFrozen: isFrozen(weight), keptStatistics: Set([runningMean, runningVariance].filter(isFrozen)),
        statisticsOffset: statisticsCount))
    statisticsCount += BatchNormLayer.statisticsCount(channels: layer.channels)
  }

  private mutating func lower(_ gate: ChannelGate, _ node: Node) throws {
    let source = try map(node.inputs[0])
    layers.append(
      ChannelAttentionLayer(
        out: newMap(node), source: source.map, shape: source.shape, hidden: gate.hidden,
        fc1Weight: try store.slot(gate.prefix + ".fc1.weight"), fc1Bias: try store.slot(gate.prefix + ".fc1.bias"),
        fc2Weight: try store.slot(gate.prefix + ".fc2.weight"), fc2Bias: try store.slot(gate.prefix + ".fc2.bias")))
  }

  private mutating func lowerProduct(_ product: Node, residual: NodeID?, to node: Node) throws {
    let source = try map(product.inputs[0])
    var channelGate: MapID?
    var spatialGate: MapID?
    for gate in product.inputs.dropFirst() {
      let map = try map(gate).map
      if case .channelGate = graph[gate].operation { channelGate = map } else { spatialGate = map }
    }
    let added = try residual.map { try map($0).map }
    layers.append(
      GatedSumLayer(
        out: newMap(node), source: source.map, shape: source.shape, channelGate: channelGate,
        spatialGate: spatialGate, residual: added))
  }

  private mutating func lowerDecision() throws {
    let scores = try network.levels.map { try map($0.classification.scores).map }
    let attributes = network.configuration.attributes.count
    if endsInScore { return layers.append(ExplainedScore(scores: scores, attributes: attributes)) }
    var fusion: ParameterStore.Slot?
    if case .fuseScores(let name, _) = graph[network.decision].operation { fusion = try store.slot(name) }
    layers.append(DecisionLoss(scores: scores, attributes: attributes, fusion: fusion))
  }

  private mutating func lower(_ head: MutualInformation, _ node: Node) throws {
    guard weights.alpha > 0 else { return }
    let inputs = try node.inputs.map { try map($0) }
    guard let embedding = inputs.last else { return }
    layers.append(
      MutualInformationLoss(
        level: layers.count(where: { $0 is MutualInformationLoss }), features: inputs.dropLast(),
        embedding: embedding.map, head: head,
        layers: try (1...3).map { index in
          (
            weight: try store.slot("\(head.prefix).conv\(index).weight"),
            bias: try store.slot("\(head.prefix).conv\(index).bias")
          )
        }))
  }

  // MARK: - Maps

  private mutating func newMap(_ node: Node) -> MapID {
    let map = MapID(index: counts.count)
    // A spatial gate is stored plainly, everything else blocked.
    if case .spatialGate = node.operation {
      counts.append(node.shape.area)
    } else {
      counts.append(node.shape.blockedCount)
    }
    maps[node.id] = EnlargedMap(map: map, shape: node.shape, factor: 1)
    return map
  }

  private func map(_ node: NodeID) throws -> EnlargedMap {
    guard let map = maps[node] else {
      throw BLANError.internal("node \(node.index) of \(graph[node].module) is read before it is computed")
    }
    return map
  }
}

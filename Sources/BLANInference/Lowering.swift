import BLANNetwork
import BLANTensors

/// Turns the graph into kernel calls, fusing what a kernel does in one pass.
struct Lowering {
  private let network: Network
  private let graph: Graph
  private let consumers: [[NodeID]]
  /// Nodes that a later node's step computes on the way.
  private var absorbed: Set<NodeID> = []
  private var gated: [NodeID: GatedMap] = [:]
  /// Enlarged maps, which are never written: the map below and the factor.
  private var enlarged: [NodeID: (source: NodeID, factor: Int)] = [:]

  private(set) var steps: [InferenceStep] = []
  private(set) var modules: [String] = []
  private(set) var counts: [Int] = []
  private(set) var buffers: [NodeID: BufferID] = [:]

  init(_ network: Network) {
    self.network = network
    graph = network.graph
    consumers = graph.consumers()
  }

  mutating func run() throws {
    // Chains are found from their last node backwards, so that the longest wins.
    for node in graph.nodes.reversed() where !absorbed.contains(node.id) {
      absorbed.formUnion(convolutionChain(endingAt: node)?.inner ?? [])
    }
    for node in graph.nodes where !absorbed.contains(node.id) { try lower(node) }
  }

  // MARK: - Patterns

  /// [maxPool ←] [relu ←] [add ←] [batchNorm ←] convolution, each read by the next alone.
  private struct Chain {
    var inner: [NodeID] = []
    var convolution: Convolution
    var inputs: [NodeID] = []
    var batchNorm: BatchNorm?
    var residual: NodeID?
    var relu = false
    var pool = false
  }

  private func convolutionChain(endingAt last: Node) -> Chain? {
    var relu = false
    var pool = false
    var residual: NodeID?
    var batchNorm: BatchNorm?
    var inner: [NodeID] = []
    var node = last
    /// Steps to `input` if it is read by the node at hand alone.
    func step(to input: NodeID) -> Bool {
      guard consumers[input.index].count == 1 else { return false }
      inner.append(input)
      node = graph[input]
      return true
    }
    if case .maxPool = node.operation {
      pool = true
      guard step(to: node.inputs[0]) else { return nil }
    }
    if case .relu = node.operation {
      relu = true
      guard step(to: node.inputs[0]) else { return nil }
    }
    if case .add = node.operation {
      // A sum that no ReLU follows is RDAM's, not a residual block's.
      guard relu else { return nil }
      residual = node.inputs[1]
      guard step(to: node.inputs[0]) else { return nil }
    }
    if case .batchNorm(let layer) = node.operation {
      batchNorm = layer
      guard step(to: node.inputs[0]) else { return nil }
    }
    guard case .convolution(let convolution) = node.operation else { return nil }
    return Chain(
      inner: inner, convolution: convolution, inputs: node.inputs, batchNorm: batchNorm, residual: residual,
      relu: relu, pool: pool)
  }

  // MARK: - Steps

  private mutating func lower(_ node: Node) throws {
    if let chain = convolutionChain(endingAt: node) { return try lower(chain, to: node) }
    switch node.operation {
    case .input, .sumScores, .fuseScores:
      break  // pixels come from the caller; scores are fused after the last step
    case .upsample(let factor):
      let below = enlarged[node.inputs[0]]
      enlarged[node.id] = (below?.source ?? node.inputs[0], factor * (below?.factor ?? 1))
    case .multiply:
      try multiply(node)
    case .channelGate(let gate):
      emit(.channelGate(out: newBuffer(node), input: try map(node.inputs[0]), gate), node)
    case .spatialGate(let gate):
      emit(.spatialGate(out: newBuffer(node), input: try map(node.inputs[0]), gate), node)
    case .add:
      let residual = try buffer(node.inputs[1])
      emit(.attend(out: newBuffer(node), input: try map(node.inputs[0]), residual: residual), node)
    case .linear(let layer):
      let input = try buffer(node.inputs[0])
      emit(.linear(out: newBuffer(node), input: input, inputShape: graph[node.inputs[0]].shape, layer), node)
    case .dropout:
      buffers[node.id] = try buffer(node.inputs[0])
    case .convolution, .batchNorm, .relu, .maxPool, .mutualInformation:
      throw BLANError.internal("no kernel computes node \(node.id.index) of \(node.module) in inference")
    }
  }

  private mutating func lower(_ chain: Chain, to node: Node) throws {
    if chain.pool {
      guard let batchNorm = chain.batchNorm, chain.inputs == [network.pixels], chain.relu else {
        throw BLANError.internal("node \(node.id.index) of \(node.module): a max-pool follows the stem alone")
      }
      let stem = InferenceStep.Stem(
        convolution: chain.convolution, batchNorm: batchNorm, inputSize: network.configuration.inputSize)
      return emit(.stem(out: newBuffer(node), stem), node)
    }
    let inputs = try chain.inputs.map { input in
      let source = enlarged[input]
      return InferenceStep.FusedConvolution.Input(
        buffer: try buffer(source?.source ?? input), upsample: source?.factor ?? 1)
    }
    let seen = graph[chain.inputs[0]].shape
    let residual = try chain.residual.map { try buffer($0) }
    emit(
      .convolution(
        out: newBuffer(node),
        InferenceStep.FusedConvolution(
          convolution: chain.convolution, batchNorm: chain.batchNorm, inputs: inputs, residual: residual,
          relu: chain.relu, inputHeight: seen.height, inputWidth: seen.width, outputShape: node.shape)),
      node)
  }

  private mutating func multiply(_ node: Node) throws {
    var product = try map(node.inputs[0])
    for gate in node.inputs.dropFirst() {
      let gateBuffer = try buffer(gate)
      if graph[gate].shape.area == 1 && graph[gate].shape.channels == product.shape.channels {
        product.channelGate = gateBuffer
      } else {
        product.locationGate = gateBuffer
      }
    }
    gated[node.id] = product
  }

  // MARK: - Buffers

  private mutating func emit(_ step: InferenceStep, _ node: Node) {
    steps.append(step)
    modules.append(node.module)
  }

  private mutating func newBuffer(_ node: Node) -> BufferID {
    let id = BufferID(index: counts.count)
    // A location gate is stored plainly, everything else blocked.
    if case .spatialGate = node.operation {
      counts.append(node.shape.area)
    } else {
      counts.append(node.shape.blockedCount)
    }
    buffers[node.id] = id
    return id
  }

  private func buffer(_ node: NodeID) throws -> BufferID {
    guard let buffer = buffers[node] else {
      throw BLANError.internal("node \(node.index) of \(graph[node].module) is read before it is computed")
    }
    return buffer
  }

  private func map(_ node: NodeID) throws -> GatedMap {
    if let product = gated[node] { return product }
    return GatedMap(map: try buffer(node), shape: graph[node].shape)
  }
}

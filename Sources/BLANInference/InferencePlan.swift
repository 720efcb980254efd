import BLANNetwork
import BLANTensors

/// The network lowered to kernel calls, with a place in one arena for every map.
///
/// Batch norms are folded into the convolution before them; ReLU and the sum of a residual block are its epilogue;
/// concatenations and nearest-neighbour enlargements are ways of reading its inputs; dropout is gone. Gates stay apart
/// from their maps until the sum that ends RDAM.
struct InferencePlan {
  private(set) var steps: [InferenceStep] = []
  /// What each step belongs to, for profiles.
  private(set) var modules: [String] = []
  /// Floats of one image in each buffer.
  private(set) var counts: [Int] = []
  private var bufferOfNode: [NodeID: BufferID] = [:]
  let arena: ArenaPlanner

  /// - Parameter keeping: nodes whose maps must outlive the run, beside scores, embeddings and spatial gates.
  init(_ network: Network, keeping: [NodeID] = []) throws {
    var lowering = Lowering(network)
    try lowering.run()
    steps = lowering.steps
    modules = lowering.modules
    counts = lowering.counts
    bufferOfNode = lowering.buffers

    var requests = counts.map { ArenaPlanner.Request(count: $0, birth: .max, death: 0) }
    for (index, step) in steps.enumerated() {
      let out = step.output.index
      requests[out] = ArenaPlanner.Request(count: counts[out], birth: index, death: index)
      for input in step.inputs { requests[input.index].death = index }
    }
    let outputs =
      network.levels.flatMap { level in
        [level.classification.embedding, level.classification.scores, level.attention?.spatialGate].compactMap { $0 }
      } + keeping
    for node in outputs {
      guard let buffer = bufferOfNode[node] else {
        throw BLANError.internal("node \(node.index) of the network has no map of its own in the plan")
      }
      requests[buffer.index].death = steps.count
    }
    arena = ArenaPlanner(requests)
  }

  /// The buffer that holds a node's result; nil where fusion left none.
  func buffer(of node: NodeID) -> BufferID? { bufferOfNode[node] }
}

import BLANTensors

/// Parameters and multiply-accumulates of every module, for one image.
///
/// Parameters are trainable tensors (batch-norm running statistics are left out). Multiply-accumulates are those of
/// convolutions and linear layers, LMIM's counted for its real and its fake pairs without any sharing between them.
public struct CostTable: Sendable {
  public struct Row: Sendable {
    public let module: String
    public let parameters: Int
    public let multiplyAccumulates: Int
  }

  public let rows: [Row]
  public var parameters: Int { rows.reduce(0) { $0 + $1.parameters } }
  public var multiplyAccumulates: Int { rows.reduce(0) { $0 + $1.multiplyAccumulates } }

  public init(_ network: Network) {
    var modules: [String] = []
    var work: [String: Int] = [:]
    for node in network.graph.nodes {
      if work[node.module] == nil { modules.append(node.module) }
      work[node.module, default: 0] += Self.multiplyAccumulates(of: node, in: network.graph)
    }
    var parameters: [String: Int] = [:]
    for parameter in network.parameters where parameter.isTrainable {
      parameters[Self.module(of: parameter.name), default: 0] += parameter.count
    }
    rows = modules.filter { $0 != "input" }.map {
      Row(module: $0, parameters: parameters[$0] ?? 0, multiplyAccumulates: work[$0] ?? 0)
    }
  }

  /// The module a tensor belongs to, from its name: `encoder.layer1.0.conv1.weight` → `encoder.layer1`.
  static func module(of name: String) -> String {
    let parts = name.split(separator: ".", maxSplits: 2)
    switch parts[0] {
    case "fusion", "reconstruction": return String(parts[0])
    case "encoder" where !parts[1].hasPrefix("layer"): return "encoder.stem"
    default: return parts[0] + "." + parts[1]
    }
  }

  private static func multiplyAccumulates(of node: Node, in graph: Graph) -> Int {
    switch node.operation {
    case .convolution(let layer):
      return layer.inputChannels.reduce(0, +) * layer.kernel * layer.kernel * node.shape.count
    case .linear(let layer):
      return layer.inputs * layer.outputs
    case .channelGate(let gate):
      return 2 * 2 * gate.channels * gate.hidden
    case .spatialGate:
      return 2 * SpatialGate.kernel * SpatialGate.kernel * node.shape.area
    case .fuseScores(_, let levels):
      return levels * node.shape.count
    case .mutualInformation(let head):
      let inputs = head.featureChannels.reduce(0, +) + head.embedding
      return 2 * node.shape.area * (inputs * head.hidden + head.hidden * head.hidden + head.hidden)
    case .input, .batchNorm, .relu, .maxPool, .add, .upsample, .multiply, .dropout, .sumScores:
      return 0
    }
  }
}

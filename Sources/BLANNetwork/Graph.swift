import BLANTensors

/// Index of a node in its graph.
public struct NodeID: Hashable, Sendable {
  public let index: Int
}

/// One operation with its inputs and the shape of its output.
public struct Node: Sendable {
  public let id: NodeID
  public let operation: Operation
  public let inputs: [NodeID]
  public let shape: TensorShape
  /// The part of the network it belongs to, such as `encoder.layer1`: rows of the cost table.
  public let module: String
}

/// A straight-line program: nodes in an order in which every input comes before its use.
public struct Graph: Sendable {
  public private(set) var nodes: [Node] = []
  /// Tensors of the weights file, in the order of their use.
  public private(set) var parameters: [Parameter] = []

  public subscript(id: NodeID) -> Node { nodes[id.index] }

  /// For every node, the nodes that read it.
  public func consumers() -> [[NodeID]] {
    var consumers = [[NodeID]](repeating: [], count: nodes.count)
    for node in nodes {
      for input in node.inputs { consumers[input.index].append(node.id) }
    }
    return consumers
  }

  mutating func append(_ operation: Operation, _ inputs: [NodeID], _ shape: TensorShape, _ module: String) -> NodeID {
    let id = NodeID(index: nodes.count)
    nodes.append(Node(id: id, operation: operation, inputs: inputs, shape: shape, module: module))
    return id
  }

  mutating func declare(_ name: String, _ shape: [Int], _ role: Parameter.Role, trainingOnly: Bool) {
    parameters.append(Parameter(name: name, shape: shape, role: role, isTrainingOnly: trainingOnly))
  }
}

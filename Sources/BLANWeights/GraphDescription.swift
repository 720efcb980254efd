import BLANNetwork
import BLANTensors
import FoundationEssentials

/// A model file's network as other programs can read it: JSON made of the graph that libblan itself runs.
///
/// `include/blan.h` documents the keys beside `blan_model_file_graph`.
struct GraphDescription: Encodable {
  private let config: ModelDescription.JSON
  private let metadata: [String: String]
  private let nodes: [NodeDescription]
  private let outputs: Outputs
  private let tensors: [Tensor]

  init(_ file: ModelFile) {
    let network = Network(file.description.configuration)
    config = file.description.codable
    metadata = file.metadata.filter { $0.key != "format" && $0.key != ModelDescription.configurationKey }
    nodes = network.graph.nodes.map(NodeDescription.init)
    outputs = Outputs(network)
    tensors = network.parameters.map { Tensor(name: $0.name, shape: $0.shape) }
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  private struct Tensor: Encodable {
    let name: String
    let shape: [Int]
  }

  /// Indices of the nodes that prediction hands out.
  private struct Outputs: Encodable {
    let decision: Int
    let summedScores: Int
    let scores: [Int]
    let embeddings: [Int]
    let spatialAttention: [Int]
    let channelAttention: [Int]

    init(_ network: Network) {
      decision = network.decision.index
      summedScores = network.summedScores.index
      scores = network.levels.map(\.classification.scores.index)
      embeddings = network.levels.map(\.classification.embedding.index)
      spatialAttention = network.levels.compactMap { $0.attention?.spatialGate.index }
      channelAttention = network.levels.compactMap { $0.attention?.channelGate.index }
    }

    enum CodingKeys: String, CodingKey {
      case decision, scores, embeddings
      case summedScores = "summed_scores"
      case spatialAttention = "spatial_attention"
      case channelAttention = "channel_attention"
    }
  }
}

/// One node: what it computes, from which nodes, with which tensors. Keys that an operation has no use for are left out.
private struct NodeDescription: Encodable {
  private let operation: String
  private let module: String
  private let inputs: [Int]
  private let shape: [Int]
  private var kernel: Int?
  private var stride: Int?
  private var padding: Int?
  private var factor: Int?
  private var epsilon: Float?
  private var tensors: [String: String] = [:]

  init(_ node: Node) {
    module = node.module
    inputs = node.inputs.map(\.index)
    shape = [node.shape.channels, node.shape.height, node.shape.width]
    switch node.operation {
    case .input: operation = "input"
    case .convolution(let layer):
      operation = "convolution"
      (kernel, stride, padding) = (layer.kernel, layer.stride, layer.padding)
      tensors["weight"] = layer.weight
      tensors["bias"] = layer.bias
    case .batchNorm(let layer):
      operation = "batch_norm"
      epsilon = BatchNorm.epsilon
      tensors = [
        "weight": layer.weight, "bias": layer.bias, "mean": layer.runningMean, "variance": layer.runningVariance,
      ]
    case .relu: operation = "relu"
    case .maxPool:
      operation = "max_pool"
      (kernel, stride, padding) = (3, 2, 1)
    case .add: operation = "add"
    case .upsample(let factor):
      operation = "upsample"
      self.factor = factor
    case .channelGate(let gate):
      operation = "channel_gate"
      for layer in ["fc1", "fc2"] {
        tensors["\(layer)_weight"] = "\(gate.prefix).\(layer).weight"
        tensors["\(layer)_bias"] = "\(gate.prefix).\(layer).bias"
      }
    case .spatialGate(let gate):
      operation = "spatial_gate"
      (kernel, stride, padding) = (SpatialGate.kernel, 1, SpatialGate.kernel / 2)
      tensors["weight"] = gate.weight
    case .multiply: operation = "multiply"
    case .linear(let layer):
      operation = "linear"
      tensors = ["weight": layer.weight, "bias": layer.bias]
    case .dropout: operation = "dropout"
    case .sumScores: operation = "sum_scores"
    case .fuseScores(let weight, _):
      operation = "fuse_scores"
      tensors["weight"] = weight
    case .mutualInformation: operation = "mutual_information"
    }
  }
}

import BLANTensors

/// Appends layers to a graph, declaring their parameters and computing their shapes.
///
/// `module` names the part being built; layers inherit it.
struct GraphBuilder {
  let configuration: Configuration
  private(set) var graph = Graph()
  var module = ""
  /// Set while heads are built that prediction never runs.
  var isTrainingOnly = false

  init(_ configuration: Configuration) { self.configuration = configuration }

  func shape(_ id: NodeID) -> TensorShape { graph[id].shape }

  mutating func input() -> NodeID {
    graph.append(.input, [], TensorShape(3, configuration.inputSize, configuration.inputSize), module)
  }

  mutating func convolution(
    _ inputs: [NodeID], _ prefix: String, outputs: Int, kernel: Int, stride: Int = 1, padding: Int,
    bias: Bool = false
  ) -> NodeID {
    let inputChannels = inputs.map { shape($0).channels }
    let channels = inputChannels.reduce(0, +)
    let weight = prefix + ".weight"
    declare(weight, [outputs, channels, kernel, kernel], .weight(fanIn: channels * kernel * kernel))
    if bias { declare(prefix + ".bias", [outputs], .bias) }
    let source = shape(inputs[0])
    let output = TensorShape(
      outputs, (source.height + 2 * padding - kernel) / stride + 1, (source.width + 2 * padding - kernel) / stride + 1)
    let convolution = Convolution(
      inputChannels: inputChannels, outputChannels: outputs, kernel: kernel, stride: stride, padding: padding,
      weight: weight, bias: bias ? prefix + ".bias" : nil)
    return append(.convolution(convolution), inputs, output)
  }

  mutating func batchNorm(_ input: NodeID, _ prefix: String) -> NodeID {
    let layer = BatchNorm(prefix: prefix, channels: shape(input).channels)
    declare(layer.weight, [layer.channels], .batchNormWeight)
    declare(layer.bias, [layer.channels], .batchNormBias)
    declare(layer.runningMean, [layer.channels], .runningMean)
    declare(layer.runningVariance, [layer.channels], .runningVariance)
    return append(.batchNorm(layer), [input], shape(input))
  }

  mutating func relu(_ input: NodeID) -> NodeID { append(.relu, [input], shape(input)) }

  mutating func dropout(_ input: NodeID) -> NodeID { append(.dropout, [input], shape(input)) }

  mutating func maxPool(_ input: NodeID) -> NodeID {
    let source = shape(input)
    return append(
      .maxPool, [input], TensorShape(source.channels, (source.height - 1) / 2 + 1, (source.width - 1) / 2 + 1))
  }

  mutating func add(_ a: NodeID, _ b: NodeID) -> NodeID { append(.add, [a, b], shape(a)) }

  mutating func upsample(_ input: NodeID, factor: Int) -> NodeID {
    let source = shape(input)
    return append(
      .upsample(factor: factor), [input],
      TensorShape(source.channels, source.height * factor, source.width * factor))
  }

  mutating func channelGate(_ input: NodeID, _ prefix: String) -> NodeID {
    let channels = shape(input).channels
    let gate = ChannelGate(prefix: prefix, channels: channels, hidden: max(channels / 16, 4))
    declare(prefix + ".fc1.weight", [gate.hidden, channels], .weight(fanIn: channels))
    declare(prefix + ".fc1.bias", [gate.hidden], .bias)
    declare(prefix + ".fc2.weight", [channels, gate.hidden], .weight(fanIn: gate.hidden))
    declare(prefix + ".fc2.bias", [channels], .bias)
    return append(.channelGate(gate), [input], .vector(channels))
  }

  mutating func spatialGate(_ input: NodeID, _ prefix: String) -> NodeID {
    let gate = SpatialGate(prefix: prefix)
    let kernel = SpatialGate.kernel
    declare(gate.weight, [1, 2, kernel, kernel], .weight(fanIn: 2 * kernel * kernel))
    return append(.spatialGate(gate), [input], TensorShape(1, shape(input).height, shape(input).width))
  }

  mutating func multiply(_ input: NodeID, gates: [NodeID]) -> NodeID {
    append(.multiply, [input] + gates, shape(input))
  }

  mutating func linear(_ input: NodeID, _ prefix: String, outputs: Int) -> NodeID {
    let layer = Linear(prefix: prefix, inputs: shape(input).count, outputs: outputs)
    declare(layer.weight, [outputs, layer.inputs], .weight(fanIn: layer.inputs))
    declare(layer.bias, [outputs], .bias)
    return append(.linear(layer), [input], .vector(outputs))
  }

  mutating func sumScores(_ scores: [NodeID]) -> NodeID { append(.sumScores, scores, shape(scores[0])) }

  mutating func fuseScores(_ scores: [NodeID], _ weight: String) -> NodeID {
    declare(weight, [scores.count, configuration.attributes.count], .fusion)
    return append(.fuseScores(weight: weight, levels: scores.count), scores, shape(scores[0]))
  }

  mutating func mutualInformation(_ features: [NodeID], embedding: NodeID, _ prefix: String) -> NodeID {
    let head = MutualInformation(
      prefix: prefix, featureChannels: features.map { shape($0).channels }, embedding: shape(embedding).channels,
      hidden: configuration.scaled(512))
    let channels = head.featureChannels.reduce(0, +) + head.embedding
    let layers = [(head.hidden, channels), (head.hidden, head.hidden), (1, head.hidden)]
    for (index, (outputs, inputs)) in layers.enumerated() {
      declare("\(prefix).conv\(index + 1).weight", [outputs, inputs, 1, 1], .weight(fanIn: inputs))
      declare("\(prefix).conv\(index + 1).bias", [outputs], .bias)
    }
    let map = shape(features[0])
    return append(.mutualInformation(head), features + [embedding], TensorShape(1, map.height, map.width))
  }

  private mutating func append(_ operation: Operation, _ inputs: [NodeID], _ shape: TensorShape) -> NodeID {
    graph.append(operation, inputs, shape, module)
  }

  private mutating func declare(_ name: String, _ shape: [Int], _ role: Parameter.Role) {
    graph.declare(name, shape, role, trainingOnly: isTrainingOnly)
  }
}

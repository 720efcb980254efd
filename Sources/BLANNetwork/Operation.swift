import BLANTensors

/// A square convolution. Several inputs mean their concatenation over channels, which need not exist in memory.
public struct Convolution: Hashable, Sendable {
  /// Channels of each input, in the order of the weight's input dimension.
  public let inputChannels: [Int]
  public let outputChannels: Int
  public let kernel: Int
  public let stride: Int
  public let padding: Int
  /// Name of the weight, [out, in, kernel, kernel].
  public let weight: String
  /// Name of the bias, [out]; nil when a batch norm follows.
  public let bias: String?

  public var weightShape: [Int] { [outputChannels, inputChannels.reduce(0, +), kernel, kernel] }

  /// Name of the ranges of its inputs, measured by calibration.
  public var ranges: String { weight + Parameter.rangesSuffix }

  /// [1 or 17, in]: the largest magnitude of each input channel, and for 3x3 kernels at stride 1 of each of the sixteen
  /// elements of its windows transformed for F(2x2, 3x3).
  public var rangesShape: [Int] { [kernel == 3 && stride == 1 ? 17 : 1, inputChannels.reduce(0, +)] }
}

/// Batch normalisation over `channels`; its tensors are `prefix` + `.weight`, `.bias`, `.running_mean`, `.running_var`.
public struct BatchNorm: Hashable, Sendable {
  public let prefix: String
  public let channels: Int
  public static let epsilon: Float = 1e-5
  public static let momentum: Float = 0.1

  public var weight: String { prefix + ".weight" }
  public var bias: String { prefix + ".bias" }
  public var runningMean: String { prefix + ".running_mean" }
  public var runningVariance: String { prefix + ".running_var" }
}

/// The gate of channel attention, Eq. 2: σ(MLP(avgpool f) + MLP(maxpool f)) with one shared MLP C → hidden → C,
/// biases and a ReLU between. Its tensors are `prefix` + `.fc1.*` and `.fc2.*`.
public struct ChannelGate: Hashable, Sendable {
  public let prefix: String
  public let channels: Int
  public let hidden: Int
}

/// The gate of spatial attention, Eq. 3: σ(conv7x7([mean over channels; max over channels])), padding 3, no bias.
public struct SpatialGate: Hashable, Sendable {
  public let prefix: String
  public static let kernel = 7

  public var weight: String { prefix + ".weight" }
}

/// A fully connected layer on its input flattened in C, H, W order; tensors `prefix` + `.weight`, `.bias`.
public struct Linear: Hashable, Sendable {
  public let prefix: String
  public let inputs: Int
  public let outputs: Int

  public var weight: String { prefix + ".weight" }
  public var bias: String { prefix + ".bias" }
}

/// The LMIM discriminator of one level (Deep InfoMax, concat-and-convolve): at every location the features and the
/// image's embedding pass 1x1 convolutions (features + embedding) → hidden → hidden → 1 with ReLU between.
/// Inputs of the node: the feature maps (one or two, concatenated), then the embedding T_i.
public struct MutualInformation: Hashable, Sendable {
  public let prefix: String
  /// Channels of each feature map.
  public let featureChannels: [Int]
  public let embedding: Int
  public let hidden: Int
}

/// What a node of the graph computes.
public enum Operation: Hashable, Sendable {
  /// Normalised pixels, 3 x inputSize x inputSize.
  case input
  case convolution(Convolution)
  case batchNorm(BatchNorm)
  case relu
  /// 3x3, stride 2, padding 1.
  case maxPool
  /// Sum of two maps of one shape.
  case add
  /// Nearest-neighbour enlargement.
  case upsample(factor: Int)
  /// Map in, C x 1 x 1 out.
  case channelGate(ChannelGate)
  /// Map in, 1 x H x W out.
  case spatialGate(SpatialGate)
  /// Map (first input) times one or more gates, each broadcast over what it lacks.
  case multiply
  case linear(Linear)
  /// Active in training only.
  case dropout
  /// s_5: the sum of the classifiers' scores.
  case sumScores
  /// Eq. 6 before the softmax: z[j, c] = Σ_k W[k, j] · s_k[j, c]; inputs s_1..s_5.
  case fuseScores(weight: String, levels: Int)
  /// Training only: discriminator scores, 1 x H x W.
  case mutualInformation(MutualInformation)
}

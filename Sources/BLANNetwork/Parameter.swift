/// A named tensor of the weights file.
public struct Parameter: Hashable, Sendable {
  /// What a tensor is, which decides how it is initialised and trained.
  public enum Role: Hashable, Sendable {
    /// Convolution or linear weight: He normal over `fanIn`.
    case weight(fanIn: Int)
    case bias
    case batchNormWeight
    case batchNormBias
    /// Running statistics: buffers that training updates without a gradient.
    case runningMean
    case runningVariance
    /// The score-fusion matrix W of Eq. 6.
    case fusion
  }

  /// Name in the weights file, torchvision's for the encoder.
  public let name: String
  /// Torch layout: [out, in, kh, kw] for convolutions, [out, in] for linear layers.
  public let shape: [Int]
  public let role: Role
  /// True for the reconstruction and LMIM heads, which prediction never reads.
  public let isTrainingOnly: Bool

  /// Names of what belongs to a tensor of a quantised model: the scale of each output channel's 8-bit weights, and the
  /// ranges of a convolution's inputs.
  public static let scaleSuffix = ".scale"
  public static let rangesSuffix = ".ranges"

  public var count: Int { shape.reduce(1, *) }

  /// False for batch-norm statistics, which have no gradient.
  public var isTrainable: Bool { role != .runningMean && role != .runningVariance }
}

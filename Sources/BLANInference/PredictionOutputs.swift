import BLANNetwork

/// Where a prediction goes. N attributes, T numbers in an embedding; images one after another.
public struct PredictionOutputs {
  /// batch x N: probability of "present", 0 to 1.
  public var probabilities: UnsafeMutablePointer<Float>
  /// batch x 5 x N x 2: s_1..s_5.
  public var scores: UnsafeMutablePointer<Float>?
  /// batch x N x 2: the decision before its softmax.
  public var logits: UnsafeMutablePointer<Float>?
  /// batch x 4 x T: T_1..T_4.
  public var embeddings: UnsafeMutablePointer<Float>?
  /// batch x (sum of squared ``Predictor/attentionSizes``): the maps of Eq. 3, shallowest first.
  public var attention: UnsafeMutablePointer<Float>?

  public init(
    probabilities: UnsafeMutablePointer<Float>, scores: UnsafeMutablePointer<Float>? = nil,
    logits: UnsafeMutablePointer<Float>? = nil, embeddings: UnsafeMutablePointer<Float>? = nil,
    attention: UnsafeMutablePointer<Float>? = nil
  ) {
    self.probabilities = probabilities
    self.scores = scores
    self.logits = logits
    self.embeddings = embeddings
    self.attention = attention
  }

  /// The same places for the images from `image` on.
  public func advanced(by image: Int, _ network: Network) -> PredictionOutputs {
    let attributes = network.configuration.attributes.count
    let embedding = network.graph[network.levels[0].classification.embedding].shape.channels
    let attentionArea = network.levels.reduce(0) { sum, level in
      sum + (level.attention.map { network.graph[$0.spatialGate].shape.area } ?? 0)
    }
    return PredictionOutputs(
      probabilities: probabilities + image * attributes,
      scores: scores.map { $0 + image * 2 * attributes * ScoreFusion.levels },
      logits: logits.map { $0 + image * 2 * attributes },
      embeddings: embeddings.map { $0 + image * embedding * Network.levelCount },
      attention: attention.map { $0 + image * attentionArea })
  }
}

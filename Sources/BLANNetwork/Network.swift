import BLANTensors

/// BLAN described once: the graph that names, shapes, initialisation, costs and both execution plans derive from.
public struct Network: Sendable {
  /// What the graph is for: `training` adds the reconstruction and LMIM heads.
  public enum Purpose: Sendable {
    case inference
    case training
  }

  /// One level of the ladder.
  public struct Level: Sendable {
    /// F_enc_i.
    public let encoder: NodeID
    /// F_dec_i; nil at level 4 and where the variant has no decoder.
    public let decoder: NodeID?
    /// RDAM's result; nil at level 4 and where the variant has no attention.
    public let attention: AttentiveFeatures?
    /// What AC_i and LMIM_i read: one map, or two concatenated (variant 4).
    public let features: [NodeID]
    public let classification: Classification
    /// LMIM_i's discriminator; nil for inference and for variant 1.
    public let mutualInformation: NodeID?
  }

  public static let levelCount = 4

  public let configuration: Configuration
  public let purpose: Purpose
  public let graph: Graph
  public let pixels: NodeID
  /// Levels 1 to 4, shallowest first.
  public let levels: [Level]
  /// s_5, the sum of s_1..s_4.
  public let summedScores: NodeID
  /// z of Eq. 6 where scores are fused, else s_5; softmax over its pairs is the decision.
  public let decision: NodeID
  /// The reconstructed input; nil for inference and where the variant has no decoder.
  public let reconstruction: NodeID?

  /// Every tensor of the weights file that this network reads, in order of use.
  public var parameters: [Parameter] { graph.parameters }

  public init(_ configuration: Configuration, purpose: Purpose = .inference) {
    let variant = configuration.variant
    var builder = GraphBuilder(configuration)
    builder.module = "input"
    let pixels = builder.input()
    let encoder = builder.encoder(pixels)
    let decoder = variant.hasDecoder ? builder.decoder(encoder[3]) : []

    let attention: [AttentiveFeatures?] = (0..<Self.levelCount).map { level in
      guard variant.hasAttention, level < decoder.count else { return nil }
      return builder.rdam(encoder: encoder[level], decoder: decoder[level], level: level)
    }
    let features: [[NodeID]] = (0..<Self.levelCount).map { level in
      guard level < decoder.count else { return [encoder[level]] }
      if let attended = attention[level] { return [attended.features] }
      return variant == .concatenation ? [encoder[level], decoder[level]] : [decoder[level]]
    }
    let classifications = features.enumerated().map { level, maps in builder.classifier(maps, level: level) }

    builder.module = "fusion"
    let scores = classifications.map(\.scores)
    summedScores = builder.sumScores(scores)
    decision = variant.hasFusion ? builder.fuseScores(scores + [summedScores], "fusion.weight") : summedScores

    var mutualInformation = [NodeID?](repeating: nil, count: Self.levelCount)
    var reconstruction: NodeID?
    if purpose == .training {
      builder.isTrainingOnly = true
      if let shallowest = decoder.first { reconstruction = builder.reconstruction(shallowest) }
      if variant.hasLMIM {
        mutualInformation = (0..<Self.levelCount).map { level in
          builder.module = "lmim.\(level)"
          return builder.mutualInformation(
            features[level], embedding: classifications[level].embedding, builder.module)
        }
      }
    }

    self.configuration = configuration
    self.purpose = purpose
    self.pixels = pixels
    self.reconstruction = reconstruction
    levels = (0..<Self.levelCount).map { level in
      Level(
        encoder: encoder[level], decoder: level < decoder.count ? decoder[level] : nil,
        attention: attention[level], features: features[level], classification: classifications[level],
        mutualInformation: mutualInformation[level])
    }
    graph = builder.graph
  }
}

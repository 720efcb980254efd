import BLANTensors

/// The order in which RDAM applies its two attentions (the paper's Table 8).
public enum AttentionOrder: String, Sendable, CaseIterable {
  case channelSpatial = "channel-spatial"
  case spatialChannel = "spatial-channel"
  case parallel
}

/// The six rows of the paper's ablation (Table 4). Only what a variant uses exists in its weights and costs time.
public enum Variant: Int, Sendable, CaseIterable {
  /// Encoder only: each classifier reads F_enc_i, the decision is their sum.
  case encoder = 1
  /// `encoder` trained with local mutual information maximisation (LMIM).
  case encoderLMIM = 2
  /// LMIM and the decoder alone: AC_1..AC_3 read F_dec_i, AC_4 reads F_enc_4.
  case decoderLMIM = 3
  /// Encoder and decoder: AC_i reads the concatenation of F_enc_i and F_dec_i.
  case concatenation = 4
  /// `concatenation` with RDAM in place of concatenating.
  case attention = 5
  /// `attention` with score fusion: the full BLAN.
  case full = 6

  public var hasDecoder: Bool { rawValue >= Variant.decoderLMIM.rawValue }
  public var hasAttention: Bool { rawValue >= Variant.attention.rawValue }
  public var hasFusion: Bool { self == .full }
  public var hasLMIM: Bool { self != .encoder }
}

/// Everything that fixes a BLAN: with it, names, shapes, costs and plans all follow.
public struct Configuration: Hashable, Sendable {
  /// Height and width of the network's input, in pixels: a multiple of 32 from 64.
  public var inputSize: Int
  /// Channels of the first stage; 64 is the paper's. A multiple of 4 that scales every channel count alike.
  public var width: Int
  /// Names of the attributes, in the order of the outputs.
  public var attributes: [String]
  public var attention: AttentionOrder
  public var variant: Variant
  /// Mean of R, G and B that the input was normalised with, on a scale of 0 to 1.
  public var mean: [Float]
  /// Standard deviation of R, G and B that the input was normalised with, on a scale of 0 to 1.
  public var std: [Float]

  public static let imageNetMean: [Float] = [0.485, 0.456, 0.406]
  public static let imageNetStd: [Float] = [0.229, 0.224, 0.225]

  public static let inputSizeRange = 64...4096
  public static let widthRange = 4...1024
  public static let maximumAttributeCount = 4096

  /// - Throws: `BLANError.invalidArgument` that names the value at fault and what is allowed.
  public init(
    inputSize: Int = 256, width: Int = 64, attributes: [String] = Attributes.celebA,
    attention: AttentionOrder = .channelSpatial, variant: Variant = .full,
    mean: [Float] = imageNetMean, std: [Float] = imageNetStd
  ) throws {
    self.inputSize = inputSize
    self.width = width
    self.attributes = attributes
    self.attention = attention
    self.variant = variant
    self.mean = mean
    self.std = std
    try validate()
  }

  private func validate() throws {
    guard Self.inputSizeRange.contains(inputSize), inputSize % 32 == 0 else {
      throw BLANError.invalidArgument("input_size is \(inputSize); expected a multiple of 32 from 64 to 4096")
    }
    guard Self.widthRange.contains(width), width % 4 == 0 else {
      throw BLANError.invalidArgument("width is \(width); expected a multiple of 4 from 4 to 1024")
    }
    guard !attributes.isEmpty, attributes.count <= Self.maximumAttributeCount else {
      throw BLANError.invalidArgument("there are \(attributes.count) attributes; expected 1 to 4096")
    }
    var seen = Set<String>()
    for (index, name) in attributes.enumerated() {
      guard !name.isEmpty, name.utf8.count <= 256, !name.unicodeScalars.contains(where: { $0.value < 32 }) else {
        throw BLANError.invalidArgument(
          "attribute \(index) has no usable name; expected 1 to 256 bytes without control characters")
      }
      guard seen.insert(name).inserted else {
        throw BLANError.invalidArgument("attribute \(index), \"\(name)\", is named twice")
      }
    }
    guard mean.count == 3, mean.allSatisfy(\.isFinite) else {
      throw BLANError.invalidArgument("mean is \(mean); expected three finite numbers")
    }
    guard std.count == 3, std.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw BLANError.invalidArgument("std is \(std); expected three finite numbers above 0")
    }
  }

  /// `channels` of the paper's network (width 64) at this width.
  func scaled(_ channels: Int) -> Int { channels * width / 64 }
}

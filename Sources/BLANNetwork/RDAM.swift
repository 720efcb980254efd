/// What RDAM makes of one level.
public struct AttentiveFeatures: Sendable {
  /// F_attn_i: the attended fusion of encoder and decoder plus F_enc_i.
  public let features: NodeID
  /// The C x 1 x 1 channel gate of Eq. 2.
  public let channelGate: NodeID
  /// The 1 x H x W spatial gate of Eq. 3.
  public let spatialGate: NodeID
}

/// Residual dual attention module: f = conv3x3(concat(F_enc_i, F_dec_i)), channel attention (Eq. 2) and spatial
/// attention (Eq. 3) in the configured order, and a residual connection from F_enc_i.
extension GraphBuilder {
  mutating func rdam(encoder: NodeID, decoder: NodeID, level: Int) -> AttentiveFeatures {
    module = "attention.\(level)"
    let prefix = module
    let fused = convolution(
      [encoder, decoder], prefix + ".conv", outputs: shape(encoder).channels, kernel: 3, padding: 1, bias: true)
    let channel: NodeID
    let spatial: NodeID
    let attended: NodeID
    switch configuration.attention {
    case .channelSpatial:
      channel = channelGate(fused, prefix + ".channel")
      let gated = multiply(fused, gates: [channel])
      spatial = spatialGate(gated, prefix + ".spatial")
      attended = multiply(gated, gates: [spatial])
    case .spatialChannel:
      spatial = spatialGate(fused, prefix + ".spatial")
      let gated = multiply(fused, gates: [spatial])
      channel = channelGate(gated, prefix + ".channel")
      attended = multiply(gated, gates: [channel])
    case .parallel:
      channel = channelGate(fused, prefix + ".channel")
      spatial = spatialGate(fused, prefix + ".spatial")
      attended = multiply(fused, gates: [channel, spatial])
    }
    return AttentiveFeatures(features: add(attended, encoder), channelGate: channel, spatialGate: spatial)
  }
}

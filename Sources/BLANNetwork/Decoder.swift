/// The decoder: mirrors encoder blocks 3 to 1. Each block is residual basic blocks at its own, lower resolution, then
/// nearest-neighbour enlargement by two.
extension GraphBuilder {
  /// - Returns: F_dec_1..F_dec_3, shaped like F_enc_1..F_enc_3.
  mutating func decoder(_ deepest: NodeID) -> [NodeID] {
    var x = deepest
    let stages: [(block: Int, count: Int, channels: Int)] = [(3, 6, 256), (2, 4, 128), (1, 3, 64)]
    let features = stages.map { stage in
      module = "decoder.block\(stage.block)"
      x = basicBlocks(x, module, count: stage.count, outputs: configuration.scaled(stage.channels), stride: 1)
      x = upsample(x, factor: 2)
      return x
    }
    return features.reversed()
  }

  /// The reconstruction head: F_dec_1 enlarged by four, a 7x7 convolution to three channels, no activation.
  mutating func reconstruction(_ shallowest: NodeID) -> NodeID {
    module = "reconstruction"
    return convolution(
      [upsample(shallowest, factor: 4)], "reconstruction.conv", outputs: 3, kernel: 7, padding: 3, bias: true)
  }
}

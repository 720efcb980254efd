/// ResNet-34 without its average pool and fc layer, with torchvision's tensor names under `encoder.`.
extension GraphBuilder {
  /// - Returns: F_enc_1..F_enc_4, at 1/4, 1/8, 1/16 and 1/32 of the input size.
  mutating func encoder(_ pixels: NodeID) -> [NodeID] {
    module = "encoder.stem"
    var x = convolution(
      [pixels], "encoder.conv1", outputs: configuration.scaled(64), kernel: 7, stride: 2, padding: 3)
    x = maxPool(relu(batchNorm(x, "encoder.bn1")))
    let stages: [(count: Int, channels: Int)] = [(3, 64), (4, 128), (6, 256), (3, 512)]
    return stages.enumerated().map { index, stage in
      module = "encoder.layer\(index + 1)"
      x = basicBlocks(
        x, module, count: stage.count, outputs: configuration.scaled(stage.channels), stride: index == 0 ? 1 : 2)
      return x
    }
  }
}

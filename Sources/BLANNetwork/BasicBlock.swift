/// ResNet's basic block, as torchvision names it: two 3x3 convolutions with batch norm around a shortcut, which is a
/// 1x1 projection where the shape changes.
extension GraphBuilder {
  mutating func basicBlock(_ input: NodeID, _ prefix: String, outputs: Int, stride: Int) -> NodeID {
    var x = convolution([input], prefix + ".conv1", outputs: outputs, kernel: 3, stride: stride, padding: 1)
    x = relu(batchNorm(x, prefix + ".bn1"))
    x = batchNorm(convolution([x], prefix + ".conv2", outputs: outputs, kernel: 3, padding: 1), prefix + ".bn2")
    var shortcut = input
    if stride != 1 || shape(input).channels != outputs {
      shortcut = convolution(
        [input], prefix + ".downsample.0", outputs: outputs, kernel: 1, stride: stride, padding: 0)
      shortcut = batchNorm(shortcut, prefix + ".downsample.1")
    }
    return relu(add(x, shortcut))
  }

  /// `count` basic blocks; the first takes the stride and the change of channels.
  mutating func basicBlocks(_ input: NodeID, _ prefix: String, count: Int, outputs: Int, stride: Int) -> NodeID {
    var x = input
    for index in 0..<count {
      x = basicBlock(x, "\(prefix).\(index)", outputs: outputs, stride: index == 0 ? stride : 1)
    }
    return x
  }
}

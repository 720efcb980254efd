/// What AC_i makes of one level.
public struct Classification: Sendable {
  /// T_i, 8 x width numbers.
  public let embedding: NodeID
  /// s_i: 2N numbers read as [N][2]; index 1 is "present".
  public let scores: NodeID
}

/// The attribute classifier AC_i (Table 2): two convolutions with batch norm and ReLU, then fc1 → T_i → dropout → fc2.
extension GraphBuilder {
  private struct Layout {
    let kernel: Int
    let stride: Int
    let padding: Int
    let hidden: Int
    let outputs: Int
  }

  /// - Parameters:
  ///   - features: one map, or two that are read as their concatenation (variant 4).
  ///   - level: 0 for AC_1 to 3 for AC_4.
  mutating func classifier(_ features: [NodeID], level: Int) -> Classification {
    let layouts = [
      Layout(kernel: 5, stride: 4, padding: 2, hidden: 32, outputs: 16),
      Layout(kernel: 3, stride: 2, padding: 1, hidden: 64, outputs: 16),
      Layout(kernel: 3, stride: 2, padding: 1, hidden: 128, outputs: 64),
      Layout(kernel: 3, stride: 2, padding: 1, hidden: 256, outputs: 256),
    ]
    let layout = layouts[level]
    module = "classifiers.\(level)"
    let prefix = module
    var x = convolution(
      features, prefix + ".conv1", outputs: configuration.scaled(layout.hidden), kernel: layout.kernel,
      stride: layout.stride, padding: layout.padding)
    x = relu(batchNorm(x, prefix + ".bn1"))
    x = convolution([x], prefix + ".conv2", outputs: configuration.scaled(layout.outputs), kernel: 1, padding: 0)
    x = relu(batchNorm(x, prefix + ".bn2"))
    let embedding = linear(x, prefix + ".fc1", outputs: configuration.scaled(512))
    let scores = linear(dropout(embedding), prefix + ".fc2", outputs: 2 * configuration.attributes.count)
    return Classification(embedding: embedding, scores: scores)
  }
}

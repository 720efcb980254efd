import Glibc

/// Cross-entropy of an attribute's pair of scores with its label (Eqs. 4 and 7).
struct CrossEntropy {
  let labelSmoothing: Float
  let positiveWeights: [Float]?

  /// The loss -Σ_c y_c log softmax(absent, present)_c and its gradient with respect to `present`; that of `absent` is
  /// its negative. y is (1 - ε, ε) with label smoothing ε. A label of 0, unknown, costs nothing.
  func evaluate(absent: Float, present: Float, label: Int8, attribute: Int) -> (loss: Double, gradient: Float) {
    guard label != 0 else { return (0, 0) }
    let difference = Double(present) - Double(absent)
    let target = label > 0 ? Double(1 - labelSmoothing) : Double(labelSmoothing)
    let weight = label > 0 ? Double(positiveWeights?[attribute] ?? 1) : 1
    // softplus(-|d|) + max(±d, 0): exact for scores of any size.
    let tail = log1p(exp(-abs(difference)))
    let lossOfPresent = tail + max(-difference, 0)
    let lossOfAbsent = tail + max(difference, 0)
    let probability = 1 / (1 + exp(-difference))
    return (
      weight * (target * lossOfPresent + (1 - target) * lossOfAbsent), Float(weight * (probability - target))
    )
  }
}

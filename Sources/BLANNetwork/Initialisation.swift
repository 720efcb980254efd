import BLANTensors

/// Seeded initial values: He normal (fan-in) for weights, zero for biases, ones for batch-norm scales and variances,
/// 1/(K+1) for the fusion matrix.
///
/// Every tensor draws from a stream of its own, keyed by seed and name, so that a network with more heads or other
/// attributes starts from the same encoder.
public enum Initialisation {
  public static func fill(_ parameter: Parameter, seed: UInt64, into values: UnsafeMutablePointer<Float>) {
    switch parameter.role {
    case .weight(let fanIn):
      var generator = RandomStream(seed: seed, key: parameter.name)
      let deviation = (2 / Double(max(fanIn, 1))).squareRoot()
      for index in 0..<parameter.count { values[index] = Float(deviation * generator.nextNormal()) }
    case .bias, .batchNormBias, .runningMean:
      values.update(repeating: 0, count: parameter.count)
    case .batchNormWeight, .runningVariance:
      values.update(repeating: 1, count: parameter.count)
    case .fusion:
      values.update(repeating: 1 / Float(max(parameter.shape[0], 1)), count: parameter.count)
    }
  }
}

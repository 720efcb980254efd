import BLANNetwork
import BLANTensors
import BLANTestSupport
import Glibc
import Testing

@testable import BLANInference

@Suite struct ScoreFusionTests {
  private func network(_ variant: Variant) throws -> Network {
    Network(
      try Configuration(inputSize: 64, width: 4, attributes: FixtureWeights.attributes(3), variant: variant))
  }

  /// s_1..s_4 of one image, [level][attribute][2], between -3 and 3.
  private let scores: [[Float]] = {
    var stream = RandomStream(seed: 5, key: "scores")
    return (0..<4).map { _ in (0..<6).map { _ in Float(6 * stream.nextUniform() - 3) } }
  }()

  private func run(_ fusion: ScoreFusion) -> (probabilities: [Float], scores: [Float], logits: [Float]) {
    var probabilities = [Float](repeating: .nan, count: 3)
    var all = [Float](repeating: .nan, count: 30)
    var logits = [Float](repeating: .nan, count: 6)
    let flat = scores.flatMap { $0 }
    flat.withUnsafeBufferPointer { flat in
      guard let start = flat.baseAddress else { return }
      let levels = (0..<4).map { start + 6 * $0 }
      levels.withUnsafeBufferPointer {
        fusion.run(scores: $0, probabilities: &probabilities, scoresOut: &all, logitsOut: &logits)
      }
    }
    return (probabilities, all, logits)
  }

  @Test func withoutFusionTheSumDecides() throws {
    let network = try network(.attention)
    let result = run(try ScoreFusion(network, FixtureWeights(network, seed: 1), temperatures: nil))
    let sum = (0..<6).map { index in scores.reduce(0) { $0 + $1[index] } }
    #expect(difference(result.logits, sum) < 1e-5)
    #expect(difference(result.scores, scores.flatMap { $0 } + sum) < 1e-5)
    for attribute in 0..<3 {
      let (absent, present) = (exp(sum[2 * attribute]), exp(sum[2 * attribute + 1]))
      #expect(abs(result.probabilities[attribute] - present / (absent + present)) < 1e-6)
    }
  }

  @Test func fusionWeighsEveryLevelAndTheirSum() throws {
    let network = try network(.full)
    let weights = try FixtureWeights(network, seed: 1)
    let result = run(try ScoreFusion(network, weights, temperatures: nil))
    let matrix = try weights.withTensor("fusion.weight", shape: [5, 3]) { Array($0) }
    for index in 0..<6 {
      let levels = scores.map { $0[index] }
      let all = levels + [levels.reduce(0, +)]
      let z = zip(all, 0..<5).reduce(0) { $0 + matrix[3 * $1.1 + index / 2] * $1.0 }
      #expect(abs(result.logits[index] - z) < 1e-5)
    }
  }

  @Test func aTemperatureDividesTheLogits() throws {
    let network = try network(.full)
    let weights = try FixtureWeights(network, seed: 1)
    let plain = run(try ScoreFusion(network, weights, temperatures: nil))
    let warm = run(try ScoreFusion(network, weights, temperatures: [1, 2, 0.5]))
    #expect(warm.logits == plain.logits)
    for (attribute, temperature) in [Float(1), 2, 0.5].enumerated() {
      let distance = plain.logits[2 * attribute + 1] - plain.logits[2 * attribute]
      #expect(abs(warm.probabilities[attribute] - 1 / (1 + exp(-distance / temperature))) < 1e-6)
    }
  }

  @Test func aTemperatureForEachAttributeIsDemanded() throws {
    let network = try network(.full)
    let weights = try FixtureWeights(network, seed: 1)
    #expect(throws: BLANError.self) { try ScoreFusion(network, weights, temperatures: [1, 1]) }
  }
}

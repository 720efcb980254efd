import BLANTensors
import Testing

@testable import BLANNetwork

@Suite struct InitialisationTests {
  private func values(_ parameter: Parameter, seed: UInt64) throws -> [Float] {
    let buffer = try AlignedBuffer<Float>(count: parameter.count)
    Initialisation.fill(parameter, seed: seed, into: buffer.pointer)
    return Array(buffer.elements)
  }

  @Test func weightsAreHeNormal() throws {
    let weight = Parameter(
      name: "w", shape: [200, 100, 3, 3], role: .weight(fanIn: 900), isTrainingOnly: false)
    let drawn = try values(weight, seed: 1).map(Double.init)
    let mean = drawn.reduce(0, +) / Double(drawn.count)
    let variance = drawn.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(drawn.count)
    #expect(abs(mean) < 4 * (2.0 / 900).squareRoot() / Double(drawn.count).squareRoot())
    #expect(abs(variance / (2.0 / 900) - 1) < 0.02)
  }

  @Test func aSeedFixesEveryTensorAndAnotherSeedChangesIt() throws {
    let weight = Parameter(name: "w", shape: [10, 10], role: .weight(fanIn: 10), isTrainingOnly: false)
    let other = Parameter(name: "v", shape: [10, 10], role: .weight(fanIn: 10), isTrainingOnly: false)
    #expect(try values(weight, seed: 7) == values(weight, seed: 7))
    #expect(try values(weight, seed: 7) != values(weight, seed: 8))
    #expect(try values(weight, seed: 7) != values(other, seed: 7))
  }

  @Test func fusionStartsAsTheMeanOfTheScores() throws {
    let fusion = Parameter(name: "fusion.weight", shape: [5, 40], role: .fusion, isTrainingOnly: false)
    #expect(try values(fusion, seed: 1).allSatisfy { $0 == 0.2 })
  }
}

import Testing

@testable import BLANTraining

@Suite struct LevelAccuracyTests {
  /// Scores of an image where level k of attribute j says present as `present` tells; 5 x 2 x 2.
  private func scores(_ present: [[Bool]]) -> [Float] {
    present.flatMap { $0.flatMap { $0 ? [-1, 2] : [3, 2] as [Float] } }
  }

  @Test func eachLevelIsCountedByItself() {
    var levels = LevelAccuracy(attributes: 2)
    let yes = [true, true]
    let no = [false, false]
    // Of two images with the labels (1, 1) and (1, unknown), AC_2 is wrong about both, s_5 about the second.
    levels.add(scores: scores([yes, no, yes, yes, yes]), probabilities: [0.5, 0.9], labels: [1, 1])
    levels.add(scores: scores([yes, no, yes, yes, no]), probabilities: [0.4, 0.1], labels: [1, 0])
    #expect((0..<6).map { levels.accuracy(level: $0, attribute: 0) } == [1, 0, 1, 1, 0.5, 0.5])
    #expect((0..<6).map { levels.accuracy(level: $0, attribute: 1) } == [1, 0, 1, 1, 1, 1])
    #expect((0..<6).map { levels.mean(level: $0) } == [1, 0, 1, 1, 0.75, 0.75])
  }

  @Test func equalScoresArePresentAsAProbabilityOfOneHalfIs() {
    var levels = LevelAccuracy(attributes: 1)
    levels.add(scores: [Float](repeating: 1, count: 10), probabilities: [0.5], labels: [1])
    #expect((0..<6).allSatisfy { levels.accuracy(level: $0, attribute: 0) == 1 })
  }

  @Test func anAttributeWithoutLabelsHasNoAccuracy() {
    var levels = LevelAccuracy(attributes: 2)
    levels.add(scores: [Float](repeating: 0, count: 20), probabilities: [1, 1], labels: [0, 1])
    #expect(levels.accuracy(level: 0, attribute: 0).isNaN)
    #expect(levels.mean(level: 0) == 1)
  }
}

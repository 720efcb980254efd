import BLANTensors
import Testing

@testable import BLANTraining

@Suite struct ThresholdTests {
  @Test func halfWayBetweenTheTwoThatItParts() {
    let probabilities: [Float] = [0.1, 0.2, 0.3, 0.4]
    let present = [false, false, true, true]
    for objective in ThresholdObjective.allCases {
      #expect(Threshold.fit(probabilities: probabilities, present: present, for: objective) == 0.25)
    }
  }

  @Test func oneHalfWhereItIsAsGood() {
    #expect(Threshold.fit(probabilities: [0.1, 0.9], present: [false, true], for: .accuracy) == 0.5)
    #expect(Threshold.fit(probabilities: [0.6, 0.6], present: [false, true], for: .accuracy) == 0.5)
  }

  @Test func objectivesChooseDifferently() {
    // One of five is present. Accuracy does best with "absent" throughout (4 of 5), balanced accuracy with the upper
    // three (1/2 (1 + 2/4)).
    let probabilities: [Float] = [0.9, 0.8, 0.7, 0.2, 0.1]
    let present = [false, false, true, false, false]
    #expect(Threshold.fit(probabilities: probabilities, present: present, for: .accuracy) == 0.95)
    #expect(Threshold.fit(probabilities: probabilities, present: present, for: .balancedAccuracy) == 0.5)
    #expect(Threshold.fit(probabilities: probabilities, present: present, for: .f1) == 0.5)
  }

  @Test func neighboursAmongFloatsAreParted() {
    let low: Float = 0.3
    let threshold = Threshold.fit(probabilities: [low, low.nextUp], present: [false, true], for: .accuracy)
    #expect(threshold == low.nextUp)
  }

  @Test func withoutBothLabelsItIsOneHalf() {
    #expect(Threshold.fit(probabilities: [0.2], present: [true], for: .accuracy) == 0.5)
    #expect(Threshold.fit(probabilities: [], present: [], for: .f1) == 0.5)
  }

  /// No threshold out of many does better.
  @Test(arguments: 0..<15, ThresholdObjective.allCases)
  func nothingIsBetter(seed: UInt64, objective: ThresholdObjective) {
    var stream = RandomStream(seed: seed, key: "threshold")
    let count = 2 + Int(stream.next() % 30)
    let probabilities = (0..<count).map { _ in Float(stream.next() % 11) / 10 }
    let present = (0..<count).map { $0 == 0 || ($0 > 1 && stream.next() % 3 == 0) }
    let score = { (threshold: Float) -> Double in
      var counts = Confusion()
      for (probability, present) in zip(probabilities, present) {
        counts.add(decided: probability >= threshold, present: present)
      }
      return objective.value(counts)
    }
    let fitted = Threshold.fit(probabilities: probabilities, present: present, for: objective)
    #expect((0...1).contains(fitted))
    let others = (0...100).map { score(Float($0) / 100) }.filter { !$0.isNaN }
    #expect(others.allSatisfy { $0 <= score(fitted) })
  }
}

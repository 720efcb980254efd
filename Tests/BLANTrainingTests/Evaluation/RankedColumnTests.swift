import BLANTensors
import Testing

@testable import BLANTraining

@Suite struct RankedColumnTests {
  private func column(_ probabilities: [Float], _ labels: [Int8], threshold: Float = 0.5) -> RankedColumn {
    RankedColumn(
      items: Array(labels.indices), threshold: threshold, probability: { probabilities[$0] }, label: { labels[$0] })
  }

  @Test func averagePrecisionByHand() {
    // Found at places 1, 3 and 4 of the ranking: (1/1 + 2/3 + 3/4) / 3.
    let measures = column([0.9, 0.8, 0.7, 0.6, 0.5], [1, -1, 1, 1, -1]).measures()
    #expect(abs(measures.averagePrecision - (1 + 2.0 / 3 + 0.75) / 3) < 1e-12)
  }

  @Test func equalProbabilitiesAreOneStep() {
    // Two at 0.8, one of them present: precision 1/2 for the first half of the recall, then 2/3 for the second.
    let measures = column([0.8, 0.3, 0.8], [-1, 1, 1]).measures()
    #expect(abs(measures.averagePrecision - (0.5 * 0.5 + 0.5 * 2 / 3)) < 1e-12)
    #expect(column([0.5, 0.5, 0.5, 0.5], [1, -1, -1, -1]).measures().averagePrecision == 0.25)
  }

  @Test func calibrationErrorAndBrierByHand() {
    // Bin 0 holds 0.01 (absent) and 0.05 (present), bin 13 holds 0.9 (present).
    let measures = column([0.01, 0.05, 0.9], [-1, 1, 1]).measures()
    #expect(abs(measures.calibrationError - (abs(0.06 - 1) + 0.1) / 3) < 1e-7)
    #expect(abs(measures.brier - (0.0001 + 0.9025 + 0.01) / 3) < 1e-7)
  }

  @Test func binsHoldTheirLowerEnds() {
    #expect([0, 0.0666, 0.0667, 0.5, 0.999, 1].map(CalibrationError.bin) == [0, 0, 1, 7, 14, 14])
    #expect([-1, 2, .nan, .infinity].map(CalibrationError.bin) == [0, 14, 0, 14])
  }

  @Test func theThresholdItselfIsPresent() {
    let measures = column([0.5, 0.4999], [1, 1]).measures()
    #expect(measures.confusion == Confusion(truePositives: 1, falseNegatives: 1))
    #expect(column([0.2, 0.1], [1, -1], threshold: 0.15).measures().confusion.accuracy == 1)
  }

  @Test func unknownLabelsAreLeftOut() {
    let column = column([0.9, 0.1, 0.6], [1, 0, 0])
    #expect(column.unknown == 2)
    #expect(column.measures().confusion == Confusion(truePositives: 1))
    let nothing = self.column([0.9], [0]).measures()
    #expect([nothing.averagePrecision, nothing.calibrationError, nothing.brier].allSatisfy { $0.isNaN })
  }

  /// The pass over ranked items gives what the definitions give, item by item, for random data with ties.
  @Test(arguments: 0..<20) func agreesWithTheDefinitions(seed: UInt64) {
    var stream = RandomStream(seed: seed, key: "ranked")
    let count = 1 + Int(stream.next() % 60)
    let probabilities = (0..<count).map { _ in Float(stream.next() % 21) / 20 }
    let labels = (0..<count).map { _ in Int8(stream.next() % 3) - 1 }
    let weights = (0..<count).map { _ in UInt16(stream.next() % 4) }
    let repeated = (0..<count).flatMap { [Int](repeating: $0, count: Int(weights[$0])) }.filter { labels[$0] != 0 }

    let weighted = column(probabilities, labels).measures(weights: weights)
    let expected = Definitions(
      probabilities: repeated.map { probabilities[$0] }, present: repeated.map { labels[$0] > 0 })
    #expect(weighted.confusion == expected.confusion)
    #expect(same(weighted.averagePrecision, expected.averagePrecision))
    #expect(same(weighted.calibrationError, expected.calibrationError))
    #expect(same(weighted.brier, expected.brier))
  }

  private func same(_ one: Double, _ other: Double) -> Bool {
    one.isNaN ? other.isNaN : abs(one - other) < 1e-9
  }
}

/// The metrics as their definitions read, without regard to speed.
private struct Definitions {
  let probabilities: [Float]
  let present: [Bool]

  var confusion: Confusion {
    var counts = Confusion()
    for (probability, present) in zip(probabilities, present) {
      counts.add(decided: probability >= 0.5, present: present)
    }
    return counts
  }

  var averagePrecision: Double {
    let positives = present.count { $0 }
    guard positives > 0 else { return .nan }
    var sum = 0.0
    var recall = 0.0
    for threshold in Set(probabilities).sorted(by: >) {
      let chosen = probabilities.indices.filter { probabilities[$0] >= threshold }
      let found = chosen.count { present[$0] }
      let reached = Double(found) / Double(positives)
      sum += (reached - recall) * Double(found) / Double(chosen.count)
      recall = reached
    }
    return sum
  }

  var calibrationError: Double {
    guard !present.isEmpty else { return .nan }
    return (0..<15).reduce(0.0) { sum, bin in
      let inside = probabilities.indices.filter { min(Int(probabilities[$0] * 15), 14) == bin }
      guard !inside.isEmpty else { return sum }
      let confidence = inside.reduce(0.0) { $0 + Double(probabilities[$1]) } / Double(inside.count)
      let share = Double(inside.count { present[$0] }) / Double(inside.count)
      return sum + abs(confidence - share) * Double(inside.count) / Double(present.count)
    }
  }

  var brier: Double {
    let squares = zip(probabilities, present).map { probability, present in
      let distance = Double(probability) - (present ? 1 : 0)
      return distance * distance
    }
    return squares.isEmpty ? .nan : squares.reduce(0, +) / Double(squares.count)
  }
}

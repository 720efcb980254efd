import Testing

@testable import BLANTraining

@Suite struct ConfusionTests {
  /// 3 of 4 present and 5 of 6 absent labels are found.
  private let counts = Confusion(truePositives: 3, falsePositives: 1, trueNegatives: 5, falseNegatives: 1)

  @Test func ratesByHand() {
    #expect(counts.accuracy == 0.8)
    #expect(abs(counts.balancedAccuracy - (0.75 + 5.0 / 6) / 2) < 1e-15)
    #expect(counts.precision == 0.75)
    #expect(counts.truePositiveRate == 0.75)
    #expect(counts.falsePositiveRate == 1.0 / 6)
    #expect(counts.falseNegativeRate == 0.25)
    #expect(counts.f1 == 0.75)
    #expect((counts.positives, counts.negatives) == (4, 6))
  }

  @Test func itemsAreCountedByDecisionAndLabel() {
    var counts = Confusion()
    for (decided, present, weight) in [(true, true, 3), (true, false, 1), (false, false, 5), (false, true, 1)] {
      counts.add(decided: decided, present: present, weight: weight)
    }
    #expect(counts == self.counts)
  }

  @Test func whatHasNoDenominatorIsNaN() {
    let none = Confusion()
    #expect([none.accuracy, none.precision, none.f1, none.truePositiveRate].allSatisfy { $0.isNaN })
    let absentOnly = Confusion(trueNegatives: 7)
    #expect(absentOnly.accuracy == 1)
    #expect([absentOnly.balancedAccuracy, absentOnly.precision, absentOnly.f1].allSatisfy { $0.isNaN })
    let neverFound = Confusion(trueNegatives: 7, falseNegatives: 2)
    #expect(neverFound.precision.isNaN && neverFound.f1 == 0 && neverFound.balancedAccuracy == 0.5)
  }

  @Test func meansLeaveOutWhatIsNotDefined() {
    #expect(definedMean([1, .nan, 2]) == 1.5)
    #expect(definedMean([.nan]).isNaN)
  }

  @Test func constantAnswers() {
    #expect(MajorityBaseline.accuracy(positives: 3, negatives: 7) == 0.7)
    #expect(MajorityBaseline.accuracy(positives: 3, negatives: 7, training: (5, 4)) == 0.3)
    #expect(MajorityBaseline.accuracy(positives: 3, negatives: 7, training: (4, 4)) == 0.7)
    #expect(MajorityBaseline.accuracy(positives: 3, negatives: 7, training: (0, 0)).isNaN)
    let counts = MajorityBaseline.counts([1, -1, 0, -1, 1, -1], attributes: 2)
    #expect(counts.map(\.positives) == [2, 0] && counts.map(\.negatives) == [0, 3])
  }
}

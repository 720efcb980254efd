import BLANTensors
import Testing

@testable import BLANTraining

@Suite struct GroupRatesTests {
  /// Two attributes. In group 0 (40 images) the first is right on 30, in group 1 (60 images) on all; in group 2 there
  /// are 3 images. The second attribute is absent throughout, and always decided so.
  private static func outcome() -> (Outcome, Grouping) {
    var labels: [Int8] = []
    var probabilities: [Float] = []
    var codes: [Int32] = []
    for (group, count) in [40, 60, 3].enumerated() {
      for image in 0..<count {
        let isPresent = image % 2 == 0
        let isWrong = group == 0 && image < 10
        labels += [isPresent ? 1 : -1, -1]
        probabilities += [isPresent != isWrong ? 0.8 : 0.3, 0.1]
        codes.append(Int32(group))
      }
    }
    return (
      Outcome(attributes: ["A", "B"], thresholds: [0.5, 0.5], probabilities: probabilities, labels: labels),
      Grouping(by: ["site"], groups: [["x"], ["y"], ["z"]], codes: codes)
    )
  }

  private func rates(resamples: Int = 0, seed: UInt64 = 1, threads: Int = 1) -> GroupRates {
    let (outcome, grouping) = Self.outcome()
    return GroupComparison(
      outcome, items: Array(0..<outcome.count), grouping: grouping, resamples: resamples, seed: seed, threads: threads
    ).rates()
  }

  private func value(_ rates: GroupRates, _ group: Int, _ metric: GroupMetric, attribute: Int = 0) -> Double {
    rates.groups[group].cells[attribute].figures[metric.place].value
  }

  @Test func placesFollowTheOrder() { #expect(GroupMetric.allCases.map(\.place) == Array(0..<GroupMetric.count)) }

  @Test func ratesByHand() {
    let rates = rates()
    #expect(rates.groups.map(\.images) == [40, 60, 3])
    #expect(value(rates, 0, .accuracy) == 0.75)
    // 5 of the 20 present ones are missed, 5 of the 20 absent ones taken for present.
    #expect(value(rates, 0, .truePositiveRate) == 0.75)
    #expect(value(rates, 0, .falseNegativeRate) == 0.25)
    #expect(value(rates, 0, .falsePositiveRate) == 0.25)
    // Two steps: 15 of 20 at 0.8, then all 20 of 40.
    #expect(abs(value(rates, 0, .averagePrecision) - (0.75 * 0.75 + 0.25 * 0.5)) < 1e-12)
    #expect(value(rates, 1, .accuracy) == 1 && value(rates, 1, .averagePrecision) == 1)
    #expect(value(rates, 1, .truePositiveRate, attribute: 1).isNaN)
    #expect(value(rates, 1, .accuracy, attribute: 1) == 1)
  }

  @Test func whatHasTooFewImagesOrLabelsIsFlagged() {
    let rates = rates()
    #expect(rates.groups.map(\.isTooFew) == [false, false, true])
    #expect(rates.groups.map { $0.cells.map(\.isTooFew) } == [[false, true], [false, true], [true, true]])
    #expect(rates.comparable == [0])
  }

  @Test func meansAndGapsCompareLikeWithLike() {
    let rates = rates()
    #expect(rates.groups[0].means[GroupMetric.accuracy.place].value == 0.875)
    #expect(rates.groups[0].means[GroupMetric.truePositiveRate.place].value == 0.75)
    let gap = rates.gaps[0][GroupMetric.accuracy.place]
    #expect(gap.figure.value == 0.25)
    #expect(gap.groups?.highest == 1 && gap.groups?.lowest == 0)
    #expect(rates.gaps[0][GroupMetric.falseNegativeRate.place].groups?.highest == 0)
    #expect(rates.gaps[1][GroupMetric.accuracy.place].groups == nil)
    #expect(rates.meanGaps[GroupMetric.accuracy.place].figure.value == 0.125)
    #expect(rates.widest(.accuracy) == 0)
    #expect(rates.groups[0].cells[0].figures[0].interval.low.isNaN)
  }

  @Test func intervalsHoldTheBinomialSpread() {
    let figure = rates(resamples: 1000).groups[0].cells[0].figures[GroupMetric.accuracy.place]
    // 0.75 ± 1.96 · sqrt(0.75 · 0.25 / 40) = 0.616 to 0.884.
    #expect(abs(figure.interval.low - 0.616) < 0.03)
    #expect(abs(figure.interval.high - 0.884) < 0.03)
    let perfect = rates(resamples: 200).groups[1].cells[0].figures[GroupMetric.accuracy.place]
    #expect(perfect.interval.low == 1 && perfect.interval.high == 1)
  }

  @Test func theGapsIntervalIsThatOfTheDifference() {
    let rates = rates(resamples: 1000)
    let gap = rates.gaps[0][GroupMetric.accuracy.place].figure
    let lower = rates.groups[0].cells[0].figures[GroupMetric.accuracy.place].interval
    // The other group never errs, so the gap is what this one lacks to 1.
    #expect(abs(gap.interval.low - (1 - lower.high)) < 1e-6)
    #expect(abs(gap.interval.high - (1 - lower.low)) < 1e-6)
  }

  @Test func intervalsDependOnTheSeedAloneAndNotOnThreads() {
    let lows = { (rates: GroupRates) in
      rates.groups.flatMap { $0.cells.flatMap { $0.figures.map(\.interval.low.bitPattern) } }
    }
    let once = lows(rates(resamples: 100, seed: 4))
    #expect(lows(rates(resamples: 100, seed: 4, threads: 3)) == once)
    #expect(lows(rates(resamples: 100, seed: 5)) != once)
  }
}

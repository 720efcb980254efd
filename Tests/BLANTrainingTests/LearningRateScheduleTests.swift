import Testing

@testable import BLANTraining

@Suite struct LearningRateScheduleTests {
  @Test func linearFallsStraightToTheFinalRate() {
    let factors = (0...10).map {
      LearningRateSchedule.linear.factor(step: $0, total: 10, warmup: 0, final: 0.1)
    }
    for (step, factor) in factors.enumerated() { #expect(abs(factor - (1 - 0.09 * Float(step))) < 1e-6) }
    #expect(abs(LearningRateSchedule.linear.factor(step: 99, total: 10, warmup: 0, final: 0.1) - 0.1) < 1e-6)
  }

  @Test func cosineIsHalfWayInTheMiddle() {
    let schedule = LearningRateSchedule.cosine
    #expect(schedule.factor(step: 0, total: 100, warmup: 0, final: 0.2) == 1)
    #expect(abs(schedule.factor(step: 50, total: 100, warmup: 0, final: 0.2) - 0.6) < 1e-6)
    #expect(abs(schedule.factor(step: 100, total: 100, warmup: 0, final: 0.2) - 0.2) < 1e-6)
    #expect(
      schedule.factor(step: 20, total: 100, warmup: 0, final: 0)
        > LearningRateSchedule.linear.factor(step: 20, total: 100, warmup: 0, final: 0))
  }

  @Test(arguments: LearningRateSchedule.allCases) func warmupRisesFromAboveZero(schedule: LearningRateSchedule) {
    let rising = (0..<4).map { schedule.factor(step: $0, total: 20, warmup: 4, final: 0.5) }
    #expect(rising == [0.2, 0.4, 0.6, 0.8])
    #expect(schedule.factor(step: 4, total: 20, warmup: 4, final: 0.5) == 1)
  }

  @Test func aRunOfUnknownLengthKeepsItsRate() {
    #expect(LearningRateSchedule.linear.factor(step: 5, total: 0, warmup: 0, final: 0.1) == 1)
    #expect(LearningRateSchedule.constant.factor(step: 5, total: 6, warmup: 0, final: 0.1) == 1)
  }
}

import BLANTensors
import Glibc
import Testing

@testable import BLANTraining

@Suite struct TemperatureTests {
  private func loss(_ margins: [Float], _ present: [Bool], at temperature: Double) -> Double {
    zip(margins, present).reduce(0) { sum, item in
      sum + log1p(exp((item.1 ? -1 : 1) * Double(item.0) / temperature))
    }
  }

  @Test func onePairOfMarginsByHand() {
    // At the margins ±1 a share of 3/4 is right: σ(1 / t) = 3/4, so t = 1 / ln 3.
    let margins: [Float] = [1, 1, 1, -1, -1, -1, -1, 1]
    let present = [true, true, true, true, false, false, false, false]
    #expect(abs(Temperature.fit(margins: margins, present: present) - 1 / log(3)) < 1e-9)
  }

  @Test(arguments: 0..<10) func nothingNearbyIsLikelier(seed: UInt64) {
    var stream = RandomStream(seed: seed, key: "temperature")
    let scale = 0.3 + 4 * stream.nextUniform()
    let margins = (0..<400).map { _ in Float(4 * stream.nextNormal()) }
    let present = margins.map { stream.nextUniform() < 1 / (1 + exp(-Double($0) / scale)) }
    let fitted = Temperature.fit(margins: margins, present: present)
    let best = loss(margins, present, at: fitted)
    #expect(best < loss(margins, present, at: fitted * 1.001) && best < loss(margins, present, at: fitted / 1.001))
    #expect(abs(log(fitted / scale)) < 0.4)
  }

  @Test func withoutBothLabelsThereIsNothingToFit() {
    #expect(Temperature.fit(margins: [3, -2], present: [true, true]) == 1)
    #expect(Temperature.fit(margins: [3, -2], present: [false, false]) == 1)
    #expect(Temperature.fit(margins: [], present: []) == 1)
  }

  @Test func endsOfTheRangeWhereTheMinimumIsBeyond() {
    #expect(Temperature.fit(margins: [3, -2], present: [true, false]) == Temperature.range.lowerBound)
    #expect(Temperature.fit(margins: [3, -2], present: [false, true]) == Temperature.range.upperBound)
    #expect(Temperature.fit(margins: [0, 0], present: [false, true]) == Temperature.range.upperBound)
  }
}

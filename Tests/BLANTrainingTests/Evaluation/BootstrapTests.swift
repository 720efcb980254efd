import Testing

@testable import BLANTraining

@Suite struct BootstrapTests {
  @Test func aDrawHasAsManyItemsAsThereAre() {
    var weights = [UInt16](repeating: 7, count: 500)
    weights.withUnsafeMutableBufferPointer { Bootstrap.draw(into: $0, seed: 3, key: "k") }
    #expect(weights.reduce(0) { $0 + Int($1) } == 500)
    // Each is left out with probability 1/e.
    #expect(abs(weights.count { $0 == 0 } - 184) < 40)
  }

  @Test func endsOfAnIntervalLieBetweenNeighbours() {
    // Places 2.5 and 97.5 of 0...100.
    let interval = Bootstrap.interval((0...100).map { Float($0) }.reversed())
    #expect(abs(interval.low - 2.5) < 1e-9 && abs(interval.high - 97.5) < 1e-9)
  }

  @Test func halfOfTheResamplesMustBeDefined() {
    #expect(Bootstrap.interval([1, .nan]).low == 1)
    #expect(Bootstrap.interval([1, .nan, .nan]).low.isNaN)
    #expect(Bootstrap.interval([Float]()).high.isNaN)
  }
}

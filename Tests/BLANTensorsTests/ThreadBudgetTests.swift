import Testing

@testable import BLANTensors

@Suite struct ThreadBudgetTests {
  @Test func automaticIsWithinTheMachine() {
    #expect(ThreadBudget.range.contains(ThreadBudget.automatic()))
  }

  @Test func requestsAreHonouredOrRefused() throws {
    #expect(try ThreadBudget.resolve(3) == 3)
    #expect(try ThreadBudget.resolve(0) == ThreadBudget.automatic())
    #expect(throws: BLANError.self) { try ThreadBudget.resolve(-1) }
    #expect(throws: BLANError.self) { try ThreadBudget.resolve(100_000) }
  }

  @Test(
    arguments: [
      ("max 100000\n", nil), ("150000 100000\n", 2), ("50000 100000\n", 1), ("400000 100000", 4), ("nonsense", nil),
      ("-1 100000", nil),
    ] as [(String, Int?)])
  func quotasOfControlGroups(text: String, expected: Int?) {
    #expect(ThreadBudget.quota(fromCPUMax: text) == expected)
  }
}

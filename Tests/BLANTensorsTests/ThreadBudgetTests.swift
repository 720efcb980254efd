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

  @Test(
    arguments: [
      ("0::/\n", ["/"]), ("0::/user.slice/job.scope\n", ["/", "/user.slice", "/user.slice/job.scope"]),
      ("4:memory:/m\n3:cpu,cpuacct:/docker/a\n2:cpuset:/c\n0::/\n", ["/", "/docker", "/docker/a"]),
      ("0::/../../x\n", ["/", "/x"]), ("", ["/"]), ("nonsense\n:\n", ["/"]),
    ] as [(String, [String])])
  func controlGroupsOfAProcess(text: String, expected: [String]) {
    #expect(ThreadBudget.cgroupPaths(ofProcess: text) == expected)
  }
}

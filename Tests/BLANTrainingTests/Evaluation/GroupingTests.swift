import BLANData
import BLANTensors
import Testing

@testable import BLANTraining

@Suite struct GroupingTests {
  private let data: Dataset

  init() throws {
    data = try Dataset(
      source: "six", attributes: ["Male", "Young"], paths: (0..<6).map { "\($0).jpg" },
      labels: [1, 1, 1, -1, -1, 1, -1, 0, 0, 1, 1, 1],
      groups: [
        GroupColumn(name: "site", values: ["north", "unused", "south"], codes: [0, 0, 2, 2, -1, 0]),
        GroupColumn(name: "a,b", values: ["x"], codes: [0, 0, 0, 0, 0, 0]),
      ])
  }

  @Test func byAnAttribute() throws {
    let grouping = try Grouping("Male", of: data)
    #expect(grouping.groups == [["Male"], ["not Male"]])
    #expect(grouping.codes == [0, 0, 1, 1, -1, 0])
  }

  @Test func byAColumnWithoutItsUnusedValues() throws {
    let grouping = try Grouping("site", of: data)
    #expect(grouping.groups == [["north"], ["south"]])
    #expect(grouping.codes == [0, 0, 1, 1, -1, 0])
  }

  @Test func byTwoTogether() throws {
    let grouping = try Grouping("Male, Young", of: data)
    #expect(grouping.by == ["Male", "Young"])
    #expect(grouping.groups == [["Male", "Young"], ["Male", "not Young"], ["not Male", "Young"]])
    #expect(grouping.codes == [0, 1, 2, -1, -1, 0])
  }

  @Test func aNameMayHoldAComma() throws { #expect(try Grouping("a,b", of: data).groups == [["x"]]) }

  @Test(arguments: ["Beard", "Male,", "Male,Beard", "Male,Young,site", ""])
  func whatTheDataLackIsRefused(request: String) {
    #expect(throws: BLANError.self) { try Grouping(request, of: data) }
  }

  @Test func namesOfPeopleAreNoGroups() throws {
    let count = Grouping.mostGroups + 1
    let column = GroupColumn(
      name: "person", values: (0..<count).map(String.init), codes: (0..<count).map { Int32($0) })
    let data = try Dataset(
      source: "many", attributes: ["A"], paths: (0..<count).map(String.init),
      labels: [Int8](repeating: 1, count: count), groups: [column])
    let error = #expect(throws: BLANError.self) { try Grouping("person", of: data) }
    #expect(error?.message.contains("101 groups") == true)
  }

  /// All pairs of so many values would not fit into memory, nor their number into 32 bits.
  @Test func onlyPairsThatOccurAreMade() throws {
    let count = 70_000
    let codes = (0..<count).map { Int32($0) }
    let values = (0..<count).map(String.init)
    // Three rows have both.
    let sites = (0..<count).map { $0 > 0 && $0 < count - 2 ? -1 : Int32(count - 1 - $0) }
    let data = try Dataset(
      source: "many", attributes: [], paths: values, labels: [],
      groups: [
        GroupColumn(name: "person", values: values, codes: codes),
        GroupColumn(name: "day", values: values, codes: codes.reversed()),
        GroupColumn(name: "site", values: values, codes: sites),
      ])
    let error = #expect(throws: BLANError.self) { try Grouping("person,day", of: data) }
    #expect(error?.message.contains("70000 groups; expected at most 100") == true)
    let grouping = try Grouping("person,site", of: data)
    #expect(grouping.groups == [["0", "69999"], ["69998", "1"], ["69999", "0"]])
    #expect(grouping.codes.enumerated().filter { $0.element >= 0 }.map(\.offset) == [0, 69_998, 69_999])
    #expect(grouping.codes.suffix(2) == [1, 2])
  }
}

import BLANData
import BLANTensors

/// Images sorted into groups by an attribute or a column of the data, or by two of them.
public struct Grouping: Sendable {
  /// More groups than this are no groups but names.
  public static let mostGroups = 100

  /// What sorts: one or two names.
  public let by: [String]
  /// For each group one value per name: a cell of a column, or "A" and "not A" for an attribute.
  public let groups: [[String]]
  /// Group of each image; -1 where a label is unknown or a cell blank: left out.
  public let codes: [Int32]

  init(by: [String], groups: [[String]], codes: [Int32]) {
    self.by = by
    self.groups = groups
    self.codes = codes
  }

  /// - Parameter request: the name of an attribute or of a column of the data, or two of them parted by a comma.
  /// - Throws: `BLANError.invalidArgument` for a name that the data lack, or more than 100 groups.
  public init(_ request: String, of data: Dataset) throws {
    // The whole is tried first: a column's name may hold a comma.
    if let single = Self.single(request, of: data) {
      self = single
    } else {
      let names = request.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
      guard names.count <= 2 else {
        throw BLANError.invalidArgument("groups by \"\(request)\": \(names.count) names; expected one or two")
      }
      let parts = try names.map { name in
        guard let part = Self.single(name, of: data) else {
          let known = (data.groups.map(\.name) + data.attributes).prefix(60).joined(separator: ", ")
          throw BLANError.invalidArgument(
            "\(data.source) has no attribute or column \"\(name)\" to group by; it has \(known)")
        }
        return part
      }
      self = parts.count == 2 ? Self.pairs(parts[0], parts[1]) : parts[0]
    }
    guard groups.count <= Self.mostGroups else {
      throw BLANError.invalidArgument(
        "groups by \"\(request)\": \(groups.count) groups; expected at most \(Self.mostGroups)")
    }
  }

  private static func single(_ name: String, of data: Dataset) -> Grouping? {
    if let column = data.groups.first(where: { $0.name == name }) {
      return Grouping(by: [name], groups: column.values.map { [$0] }, codes: column.codes).withoutEmptyGroups()
    }
    guard let attribute = data.attributes.firstIndex(of: name) else { return nil }
    let codes = (0..<data.count).map { item -> Int32 in
      switch data.labels[item * data.attributes.count + attribute] {
      case 1: return 0
      case -1: return 1
      default: return -1
      }
    }
    return Grouping(by: [name], groups: [[name], ["not \(name)"]], codes: codes).withoutEmptyGroups()
  }

  /// The groups of both together, in the order of the first and then of the second. Pairs that no image has are never
  /// made: of columns with many values there would be too many.
  static func pairs(_ first: Grouping, _ second: Grouping) -> Grouping {
    let count = second.groups.count
    let pairs = zip(first.codes, second.codes).map { $0 < 0 || $1 < 0 ? nil : Int($0) * count + Int($1) }
    let present = Set(pairs.compactMap { $0 }).sorted()
    let places = Dictionary(
      uniqueKeysWithValues: present.enumerated().map { ($1, Int32(truncatingIfNeeded: $0)) })
    return Grouping(
      by: first.by + second.by, groups: present.map { first.groups[$0 / count] + second.groups[$0 % count] },
      codes: pairs.map { $0.flatMap { places[$0] } ?? -1 })
  }

  private func withoutEmptyGroups() -> Grouping {
    let present = Set(codes)
    let kept = groups.indices.filter { present.contains(Int32(truncatingIfNeeded: $0)) }
    var places = [Int32](repeating: -1, count: groups.count)
    for (place, group) in kept.enumerated() { places[group] = Int32(truncatingIfNeeded: place) }
    return Grouping(
      by: by, groups: kept.map { groups[$0] },
      codes: codes.map { places.indices.contains(Int($0)) ? places[Int($0)] : -1 })
  }

  private static func trimmed(_ text: Substring) -> String {
    let start = text.drop { $0 == " " }
    return String(start[..<(start.lastIndex { $0 != " " }.map(start.index(after:)) ?? start.startIndex)])
  }
}

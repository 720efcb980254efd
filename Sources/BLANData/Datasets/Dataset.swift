import BLANTensors

/// Images with their labels: what a training or an evaluation goes through. It holds paths, not pixels.
///
/// A value that never changes; share it between threads freely.
public struct Dataset: Sendable {
  /// The folder or file it was read from; errors and reports name it.
  public let source: String
  /// Names of the attributes, in the order of the labels.
  public let attributes: [String]
  /// The image file of each item.
  public let paths: [String]
  /// count x attributes: 1 present, -1 absent, 0 unknown.
  public let labels: [Int8]
  /// Columns that are no labels, for rates by group.
  public let groups: [GroupColumn]

  public var count: Int { paths.count }

  /// - Throws: `BLANError.invalidArgument` for an attribute without a name or named twice, or a path that no
  ///   file can have; `.shape` where the labels or
  ///   a group column do not fit the paths; `.format` for a label other than 1, -1 and 0.
  public init(
    source: String, attributes: [String], paths: [String], labels: [Int8], groups: [GroupColumn] = []
  ) throws {
    if let name = attributes.first(where: \.isEmpty) ?? attributes.firstDuplicate() {
      throw BLANError.invalidArgument(
        "\(source): the attribute name \"\(excerpt(name))\" is empty or appears twice; expected distinct names")
    }
    if let item = paths.firstIndex(where: { $0.isEmpty || $0.utf8.contains(0) }) {
      throw BLANError.invalidArgument("\(source): the path of image \(item) is empty or holds a zero byte")
    }
    let (cells, overflow) = paths.count.multipliedReportingOverflow(by: attributes.count)
    guard !overflow, labels.count == cells else {
      throw BLANError.shape(
        "\(source): \(labels.count) labels for \(paths.count) images; expected \(attributes.count) for each")
    }
    if let index = labels.firstIndex(where: { !(-1...1).contains($0) }) {
      throw BLANError.format(
        "\(source): label \(labels[index]) of image \(index / attributes.count), attribute "
          + "\(attributes[index % attributes.count]); expected 1, -1 or 0 (unknown)")
    }
    if let group = groups.first(where: { $0.codes.count != paths.count }) {
      throw BLANError.shape(
        "\(source): the group column \(group.name) has \(group.codes.count) values; expected \(paths.count)")
    }
    self.source = source
    self.attributes = attributes
    self.paths = paths
    self.labels = labels
    self.groups = groups
  }

  /// The labels of one item, in the order of ``attributes``.
  public func labels(of item: Int) -> ArraySlice<Int8> {
    labels[item * attributes.count..<(item + 1) * attributes.count]
  }

  /// The items at the given positions, in that order.
  ///
  /// - Throws: `BLANError.invalidArgument` for a position outside the data set.
  public func subset(_ items: [Int]) throws -> Dataset {
    if let item = items.first(where: { !paths.indices.contains($0) }) {
      throw BLANError.invalidArgument("\(source) has no item \(item); it has \(count)")
    }
    return try Dataset(
      source: source, attributes: attributes, paths: items.map { paths[$0] }, labels: items.flatMap { labels(of: $0) },
      groups: groups.map { group in
        GroupColumn(name: group.name, values: group.values, codes: items.map { group.codes[$0] })
      })
  }

  /// The same items with the named attributes alone, in the order given.
  ///
  /// - Parameters:
  ///   - names: attributes of the result, such as those of a model.
  ///   - columns: for an attribute that the data call otherwise, its name in the data.
  ///   - unknownWhenAbsent: gives an attribute that the data lack the label 0 throughout, instead of throwing.
  /// - Throws: `BLANError.invalidArgument` for a name that the data lack, or one that is given twice.
  public func selecting(
    _ names: [String], columns: [String: String] = [:], unknownWhenAbsent: Bool = false
  ) throws -> Dataset {
    let places = Dictionary(uniqueKeysWithValues: attributes.enumerated().map { ($1, $0) })
    let sources = try names.map { name -> Int? in
      let column = columns[name] ?? name
      if let place = places[column] { return place }
      guard unknownWhenAbsent else {
        throw BLANError.invalidArgument(
          "\(source) has no attribute \"\(excerpt(column))\"; it has \(listing(attributes))")
      }
      return nil
    }
    var selected: [Int8] = []
    selected.reserveCapacity(count * names.count)
    for item in 0..<count {
      for place in sources { selected.append(place.map { labels[item * attributes.count + $0] } ?? 0) }
    }
    return try Dataset(source: source, attributes: names, paths: paths, labels: selected, groups: groups)
  }

  /// Splits off part of the data for validation, drawn by a seed; both parts keep the order of the whole.
  ///
  /// - Parameter validationShare: between 0 and 1, both excluded; at least one item goes to each part.
  /// - Throws: `BLANError.invalidArgument` for another share or fewer than two items.
  public func split(validationShare: Double, seed: UInt64) throws -> (training: Dataset, validation: Dataset) {
    guard validationShare > 0, validationShare < 1, count >= 2 else {
      throw BLANError.invalidArgument(
        "cannot hold out \(validationShare) of the \(count) images of \(source); expected a share between 0 and 1 of "
          + "at least two")
    }
    let order = EpochOrder.shuffled(count: count, seed: seed, key: "held-out")
    let held = min(max(Int((Double(count) * validationShare).rounded()), 1), count - 1)
    return (try subset(order[held...].sorted()), try subset(order[..<held].sorted()))
  }
}

/// A column whose values sort the items into groups.
public struct GroupColumn: Sendable, Equatable {
  public let name: String
  /// The distinct values, in the order of their first appearance in the file.
  public let values: [String]
  /// For each item the index of its value; -1 where the cell was blank.
  public let codes: [Int32]

  public init(name: String, values: [String], codes: [Int32]) {
    self.name = name
    self.values = values
    self.codes = codes
  }

  /// The item's value; nil where the cell was blank.
  public func value(of item: Int) -> String? {
    let code = Int(codes[item])
    return values.indices.contains(code) ? values[code] : nil
  }
}

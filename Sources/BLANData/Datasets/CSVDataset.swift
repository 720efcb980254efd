import BLANTensors

/// A table with a header line, a `path` column (relative to the table's folder), perhaps a `split` column, and columns
/// of labels or groups.
///
/// The first cell of a column that is not blank decides what it is: labels (0, 1 or -1; `.0` may follow) or groups
/// (anything else). Where a column holds -1, its zeros mean unknown; in a column of 0 and 1, they mean absent. A blank
/// label is unknown. A table that has -1 in some label columns and nothing but 0 and 1 in others with zeros is refused:
/// those zeros could mean either.
enum CSVDataset {
  static let pathColumn = "path"
  static let splitColumn = "split"

  /// The one table in a folder; nil where there is none or more than one.
  static func table(in folder: String) throws -> String? {
    let tables = try FileSystem.names(in: folder).filter { $0.lowercased().hasSuffix(".csv") }
    return tables.count == 1 ? tables.first.map { folder + "/" + $0 } : nil
  }

  static func open(_ path: String, split: DatasetSplit, attributes: [String]?) throws -> Dataset {
    var file = path
    if FileSystem.isFolder(path) {
      guard let table = try table(in: path) else {
        throw BLANError.invalidArgument("\(path) does not hold exactly one .csv file; expected the path of one")
      }
      file = table
    }
    return try FileContent(path: file).withBytes { bytes in
      var reader = CSVReader(bytes, name: file)
      guard let header = try reader.next() else {
        throw BLANError.format("\(file) is empty; expected a header line with a \"\(pathColumn)\" column")
      }
      var rows = try CSVRows(header, file: file, split: split, attributes: attributes)
      while let record = try reader.next() { try rows.add(record) }
      return try rows.dataset(source: path)
    }
  }
}

/// Gathers the rows of the part that is wanted, and checks all of them.
private struct CSVRows {
  private let file: String
  private let folder: String
  private let split: DatasetSplit
  private let fieldCount: Int
  private let pathField: Int
  private let splitField: Int?
  private var columns: [CSVColumn]
  private var paths: [String] = []
  private var lineOfPath: [String: Int] = [:]

  init(_ header: CSVReader.Record, file: String, split: DatasetSplit, attributes: [String]?) throws {
    let names = header.fields.map { trimmed($0) }
    let place = "\(file), line \(header.line)"
    if let name = names.firstDuplicate() {
      throw BLANError.format("\(place): the column \"\(excerpt(name))\" appears twice")
    }
    guard let pathField = names.firstIndex(of: CSVDataset.pathColumn) else {
      throw BLANError.format("\(place): no column \"\(CSVDataset.pathColumn)\"; the columns are \(listing(names))")
    }
    let splitField = names.firstIndex(of: CSVDataset.splitColumn)
    guard splitField != nil || split == .all else {
      throw BLANError.invalidArgument(
        "\(file) has no column \"\(CSVDataset.splitColumn)\", so no part \"\(split.name)\"; expected to be opened whole"
      )
    }
    let wanted = attributes.map(Set.init)
    if let name = attributes?.first(where: { !names.contains($0) }) {
      throw BLANError.invalidArgument("\(place): no column \"\(excerpt(name))\"; the columns are \(listing(names))")
    }
    self.file = file
    self.split = split
    self.pathField = pathField
    self.splitField = splitField
    folder = FileSystem.folder(of: file)
    fieldCount = names.count
    columns = names.enumerated().compactMap { field, name in
      guard field != pathField, field != splitField else { return nil }
      return CSVColumn(name: name, field: field, mustBeLabels: wanted?.contains(name) ?? false)
    }
  }

  mutating func add(_ record: CSVReader.Record) throws {
    let place = "\(file), line \(record.line)"
    guard record.fields.count == fieldCount else {
      throw BLANError.format("\(place): \(record.fields.count) fields; expected \(fieldCount) as in the header")
    }
    let path = record.fields[pathField]
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw BLANError.format("\(place), column \(CSVDataset.pathColumn): expected the path of an image")
    }
    if let line = lineOfPath.updateValue(record.line, forKey: path) {
      throw BLANError.format("\(place): \(excerpt(path)) has a row already, on line \(line)")
    }
    let part = try splitField.map { try Self.part(record.fields[$0], place) }
    let isWanted = split == .all || part == split
    for index in columns.indices {
      try columns[index].add(record.fields[columns[index].field], keep: isWanted, place)
    }
    if isWanted { paths.append(path.hasPrefix("/") ? path : folder + "/" + path) }
  }

  func dataset(source: String) throws -> Dataset {
    let labelled = columns.filter { $0.kind != .groups }
    if let signed = labelled.first(where: \.holdsMinusOne),
      let binary = labelled.first(where: { $0.holdsZero && !$0.holdsMinusOne })
    {
      throw BLANError.format(
        "\(file): column \(excerpt(signed.name)) says -1 for absent, but column \(excerpt(binary.name)) has 0 and no "
          + "-1; expected one convention: 1 and -1, or 1 and 0, and blank for unknown")
    }
    guard labelled.count <= Dataset.mostAttributes else {
      throw BLANError.format("\(file) has \(labelled.count) label columns; expected \(Dataset.mostAttributes) at most")
    }
    var labels: [Int8] = []
    labels.reserveCapacity(paths.count * labelled.count)
    for row in paths.indices {
      for column in labelled { labels.append(column.label(row)) }
    }
    return try Dataset(
      source: source, attributes: labelled.map(\.name), paths: paths, labels: labels,
      groups: columns.filter { $0.kind == .groups }.map(\.groups))
  }

  private static func part(_ text: String, _ place: String) throws -> DatasetSplit {
    switch trimmed(text).lowercased() {
    case "train", "0": return .train
    case "validation", "valid", "val", "1": return .validation
    case "test", "2": return .test
    default:
      throw BLANError.format(
        "\(place), column \(CSVDataset.splitColumn): \"\(excerpt(text))\"; expected train, validation or test")
    }
  }
}

/// One column of a table while it is read.
private struct CSVColumn {
  enum Kind { case undecided, labels, groups }

  let name: String
  let field: Int
  private(set) var kind: Kind
  private(set) var holdsMinusOne = false
  private(set) var holdsZero = false
  /// 1, 0 or -1 as written; nil for a blank cell. Of an undecided column, all are blank.
  private var cells: [Int8?] = []
  private var values: [String] = []
  private var codeOfValue: [String: Int32] = [:]
  private var codes: [Int32] = []

  init(name: String, field: Int, mustBeLabels: Bool) {
    self.name = name
    self.field = field
    kind = mustBeLabels ? .labels : .undecided
  }

  /// - Parameter keep: whether the row belongs to the part that is wanted; other rows are checked alone, and tell what
  ///   the column is.
  mutating func add(_ cell: String, keep: Bool, _ place: String) throws {
    let text = trimmed(cell)
    var number: Int8?
    if !text.isEmpty && kind != .groups {
      var copy = text
      number = copy.withUTF8 { labelNumber(UnsafeRawBufferPointer($0)) }
      if kind == .undecided { decide(isLabel: number != nil) }
      guard number != nil || kind == .groups else {
        throw BLANError.format(
          "\(place), column \(excerpt(name)): \"\(excerpt(text))\"; expected a label: 0, 1, -1 or blank")
      }
    }
    holdsMinusOne = holdsMinusOne || number == -1
    holdsZero = holdsZero || number == 0
    guard keep else { return }
    if kind == .groups { codes.append(text.isEmpty ? -1 : code(of: text)) } else { cells.append(number) }
  }

  func label(_ row: Int) -> Int8 {
    guard let cell = cells[row] else { return 0 }
    return cell == 0 && !holdsMinusOne ? -1 : cell
  }

  var groups: GroupColumn { GroupColumn(name: name, values: values, codes: codes) }

  private mutating func decide(isLabel: Bool) {
    kind = isLabel ? .labels : .groups
    guard !isLabel else { return }
    codes = cells.map { _ in -1 }
    cells = []
  }

  private mutating func code(of value: String) -> Int32 {
    if let code = codeOfValue[value] { return code }
    let code = Int32(clamping: values.count)
    values.append(value)
    codeOfValue[value] = code
    return code
  }
}

private func trimmed(_ text: String) -> String {
  let isBlank = { (character: Character) in character == " " || character == "\t" }
  guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) }) else {
    return ""
  }
  return String(text[first...last])
}

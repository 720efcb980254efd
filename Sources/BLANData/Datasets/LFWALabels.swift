import BLANTensors

/// LFWA's label file, of any number of rows (13,143 in the official one, 13,233 with all of LFW's photos) and columns.
///
/// As `.mat`: `label` (rows x attributes), and where they are there `name` (a cell for each row) and `AttrName` (a cell
/// for each attribute). As text: the layout of CelebA's table, or rows of labels parted by spaces, tabs or commas, each
/// behind the image's name or without, and a first line of attribute names or none. Forty columns without names are
/// CelebA's forty.
///
/// A table without any -1 has 0 for absent; in one with -1, 0 is unknown.
struct LFWALabels {
  let attributes: [String]
  /// `Person/Person_0001.jpg`; nil where the file does not name its rows.
  let names: [String]?
  /// rows x attributes: 1, -1 or 0 (unknown).
  let labels: [Int8]

  var rowCount: Int { labels.count / attributes.count }

  /// - Throws: `BLANError.io`, `.format` or `.unsupported`, naming the file and the line or variable.
  init(path: String) throws {
    let raw = try path.hasSuffix(".mat") ? Self.readMAT(path) : Self.readText(path)
    let (columns, rows) = (raw.columns, raw.labels.count / max(raw.columns, 1))
    guard columns > 0, columns <= Dataset.mostAttributes, rows > 0, rows * columns == raw.labels.count else {
      throw BLANError.format(
        "\(path): \(raw.labels.count) labels in \(columns) columns; expected 1 to \(Dataset.mostAttributes) columns")
    }
    if let names = raw.names, names.count != rows {
      throw BLANError.format("\(path): \(names.count) image names for \(rows) rows of labels")
    }
    attributes = try Self.attributes(raw.attributes, columns: columns, path)
    names = try raw.names?.map { try Self.imageName($0, path) }
    if let name = names?.firstDuplicate() {
      throw BLANError.format("\(path): \(excerpt(name)) has a row already")
    }
    let zero: Int8 = raw.labels.contains(-1) ? 0 : -1
    labels = raw.labels.map { $0 == 0 ? zero : $0 }
  }

  private struct Raw {
    var attributes: [String]?
    var names: [String]?
    /// As written: 1, 0 or -1.
    var labels: [Int8]
    var columns: Int
  }

  // MARK: - Names

  /// LFWA writes `5 o Clock Shadow` where CelebA writes `5_o_Clock_Shadow`.
  private static func attributes(_ names: [String]?, columns: Int, _ path: String) throws -> [String] {
    guard let names else {
      guard columns == Attributes.celebA.count else {
        throw BLANError.format(
          "\(path) names no attributes and has \(columns) columns; only \(Attributes.celebA.count) are known by order")
      }
      return Attributes.celebA
    }
    guard names.count == columns else {
      throw BLANError.format("\(path): \(names.count) attribute names for \(columns) columns of labels")
    }
    return names.map { $0.split(separator: " ").joined(separator: "_") }
  }

  /// `Person\Person_0001.jpg` as a path; a bare `Person_0001.jpg` goes into its person's folder.
  private static func imageName(_ name: String, _ path: String) throws -> String {
    let slashed = String(name.map { $0 == "\\" ? "/" : $0 })
    if slashed.contains("/") { return slashed }
    guard let mark = slashed.lastIndex(of: "_"), mark != slashed.startIndex else {
      throw BLANError.format("\(path): the image name \"\(excerpt(name))\"; expected Person/Person_0001.jpg")
    }
    return slashed[..<mark] + "/" + slashed
  }

  // MARK: - MATLAB

  private static func readMAT(_ path: String) throws -> Raw {
    let variables = try MATFile(path: path).variables
    guard case .numbers(let rows, let columns, let numbers)? = variables["label"] ?? variables["labels"] else {
      throw BLANError.format(
        "\(path) has no matrix of numbers \"label\"; its variables are \(listing(variables.keys.sorted()))")
    }
    var labels = [Int8](repeating: 0, count: numbers.count)
    for (index, number) in numbers.enumerated() {
      let (row, column) = (index % max(rows, 1), index / max(rows, 1))
      guard let label = Int8(exactly: number), (-1...1).contains(label) else {
        throw BLANError.format(
          "\(path), label(\(row + 1), \(column + 1)) is \(number); expected 0 and 1, or 1, -1 and 0 (unknown)")
      }
      labels[row * columns + column] = label
    }
    return Raw(
      attributes: try texts(variables["AttrName"], "AttrName", path),
      names: try texts(variables["name"] ?? variables["names"], "name", path), labels: labels, columns: columns)
  }

  private static func texts(_ value: MATValue?, _ name: String, _ path: String) throws -> [String]? {
    switch value {
    case nil: return nil
    case .text(let rows): return rows
    case .cells(let cells):
      return try cells.enumerated().map { index, cell in
        guard case .text(let rows) = cell, rows.count == 1 else {
          throw BLANError.format("\(path), \(name){\(index + 1)} is no line of text")
        }
        return rows[0]
      }
    case .numbers, .other: throw BLANError.format("\(path): \(name) holds no texts")
    }
  }

  // MARK: - Text

  private static func readText(_ path: String) throws -> Raw {
    try FileContent(path: path).withBytes { bytes in
      var lines = LineReader(bytes)
      guard let first = lines.next().map(words), !first.isEmpty else {
        throw BLANError.format("\(path) is empty; expected rows of labels")
      }
      if first.count == 1 && text(first[0]).flatMap({ Int($0) }) != nil {
        let table = try LabelTable(path: path)
        return Raw(
          attributes: table.attributes, names: table.names, labels: table.labels, columns: table.attributes.count)
      }
      // A row has labels alone behind its first word, which may be a name.
      let isRow =
        first.count > 1 ? first.dropFirst().allSatisfy { labelNumber($0) != nil } : labelNumber(first[0]) != nil
      return try readRows(bytes, hasHeader: !isRow, path)
    }
  }

  private static func readRows(_ bytes: UnsafeRawBufferPointer, hasHeader: Bool, _ path: String) throws -> Raw {
    var lines = LineReader(bytes)
    var header: [String]?
    if hasHeader, let line = lines.next() {
      header = try words(line).map { word in
        guard let name = text(word) else { throw BLANError.format("\(path), line 1 is not UTF-8") }
        return name
      }
    }
    var names: [String] = []
    var labels: [Int8] = []
    var shape: (named: Bool, columns: Int)?
    while let line = lines.next() {
      let row = words(line)
      guard let first = row.first else { continue }
      let own = (named: labelNumber(first) == nil, columns: row.count - (labelNumber(first) == nil ? 1 : 0))
      guard own == shape ?? own else {
        throw BLANError.format("\(path), line \(lines.number): \(row.count) words; expected a row like the one before")
      }
      shape = own
      if own.named {
        guard let name = text(first) else {
          throw BLANError.format("\(path), line \(lines.number): the file name is not UTF-8")
        }
        names.append(name)
      }
      for word in own.named ? row.dropFirst() : row[...] {
        guard let label = labelNumber(word) else {
          throw BLANError.format("\(path), line \(lines.number): \"\(excerpt(word))\"; expected 1, 0 or -1")
        }
        labels.append(label)
      }
    }
    guard let shape else { throw BLANError.format("\(path) has no rows of labels") }
    // The header may name the column of names as well.
    if let count = header?.count, shape.named, count == shape.columns + 1 { header?.removeFirst() }
    return Raw(
      attributes: header, names: shape.named ? names : nil, labels: labels, columns: shape.columns)
  }

  private static func words(_ line: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    let separators = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: ",")]
    return line.split { separators.contains($0) }.map(UnsafeRawBufferPointer.init(rebasing:))
  }
}

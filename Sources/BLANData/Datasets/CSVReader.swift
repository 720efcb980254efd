import BLANTensors

/// Records of a comma-separated file (RFC 4180: fields may be quoted, quotes inside are doubled, quoted fields may hold
/// commas and line ends). Empty lines are passed over; a byte-order mark is ignored.
struct CSVReader {
  struct Record {
    /// Line on which the record begins, from 1 on.
    let line: Int
    let fields: [String]
  }

  /// More columns than this are taken for a damaged file.
  static let mostFields = 2 * Dataset.mostAttributes

  private static let comma = UInt8(ascii: ",")
  private static let quote = UInt8(ascii: "\"")
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  private let name: String
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var line = 1

  /// - Parameters:
  ///   - bytes: must stay while the reader is used.
  ///   - name: what errors call the file.
  init(_ bytes: UnsafeRawBufferPointer, name: String) {
    self.bytes = UnsafeRawBufferPointer(rebasing: withoutByteOrderMark(bytes))
    self.name = name
  }

  /// The next record; nil at the end.
  ///
  /// - Throws: `BLANError.format`, naming line and field.
  mutating func next() throws -> Record? {
    skipEmptyLines()
    guard position < bytes.count else { return nil }
    let first = line
    var fields: [String] = []
    while true {
      let isQuoted = position < bytes.count && bytes[position] == Self.quote
      fields.append(try isQuoted ? quotedField(fields.count) : plainField(fields.count))
      guard fields.count <= Self.mostFields else {
        throw BLANError.format("\(name), line \(first): more than \(Self.mostFields) fields")
      }
      if position < bytes.count && bytes[position] == Self.comma {
        position += 1
        continue
      }
      endLine()
      return Record(line: first, fields: fields)
    }
  }

  /// Whether the line ends here: at LF, CR LF, or the end of the file.
  private var isAtLineEnd: Bool {
    guard position < bytes.count else { return true }
    if bytes[position] == Self.newline { return true }
    guard bytes[position] == Self.carriageReturn else { return false }
    return position + 1 == bytes.count || bytes[position + 1] == Self.newline
  }

  private mutating func endLine() {
    guard position < bytes.count else { return }
    if bytes[position] == Self.carriageReturn { position += 1 }
    if position < bytes.count { position += 1 }
    line += 1
  }

  private mutating func skipEmptyLines() {
    while position < bytes.count && isAtLineEnd { endLine() }
  }

  private mutating func plainField(_ index: Int) throws -> String {
    let begin = position
    while position < bytes.count && bytes[position] != Self.comma && !isAtLineEnd {
      guard bytes[position] != Self.quote else {
        throw error(index, "a quote inside an unquoted field; expected the field in quotes and its quotes doubled")
      }
      position += 1
    }
    return try decode(UnsafeRawBufferPointer(rebasing: bytes[begin..<position]), index)
  }

  private mutating func quotedField(_ index: Int) throws -> String {
    let opened = line
    var content: [UInt8] = []
    position += 1
    while true {
      guard position < bytes.count else {
        throw error(index, "the quote opened on line \(opened) is never closed")
      }
      let byte = bytes[position]
      position += 1
      if byte == Self.quote {
        guard position < bytes.count, bytes[position] == Self.quote else { break }
        position += 1
      } else if byte == Self.newline {
        line += 1
      }
      content.append(byte)
    }
    guard isAtLineEnd || bytes[position] == Self.comma else {
      throw error(index, "text after the closing quote; expected a comma or the end of the line")
    }
    return try content.withUnsafeBytes { try decode($0, index) }
  }

  private func decode(_ field: UnsafeRawBufferPointer, _ index: Int) throws -> String {
    guard let text = text(field) else { throw error(index, "\"\(excerpt(field))\" is not UTF-8") }
    return text
  }

  private func error(_ index: Int, _ message: String) -> BLANError {
    .format("\(name), line \(line), field \(index + 1): \(message)")
  }
}

import BLANTensors
import Glibc

/// The start of a text from a file, fit to stand in a message however long and strange the text is.
func excerpt(_ text: some StringProtocol) -> String {
  let start = String(text.prefix(60).map { $0.isNewline || $0 == "\0" ? " " : $0 })
  return text.count > 60 ? start + "..." : start
}

func excerpt(_ bytes: UnsafeRawBufferPointer) -> String { excerpt(String(decoding: bytes.prefix(200), as: UTF8.self)) }

/// Some names, and how many more there are.
func listing(_ names: [String]) -> String {
  let shown = names.prefix(8).map { excerpt($0) }.joined(separator: ", ")
  return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
}

extension [String] {
  func firstDuplicate() -> String? {
    var seen: Set<String> = []
    return first { !seen.insert($0).inserted }
  }
}

/// A whole file in memory.
struct FileContent {
  /// Label files are text of a few dozen megabytes; more is not one.
  static let largest = 1 << 30

  let path: String
  private let buffer: AlignedBuffer<UInt8>
  private let length: Int

  /// - Throws: `BLANError.io`, `.format` (too large) or `.outOfMemory`, naming the file.
  init(path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw BLANError.io("cannot open \(path): \(systemError())") }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw BLANError.io("cannot read \(path): \(systemError())") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw BLANError.io("\(path) is not a regular file") }
    guard status.st_size <= Self.largest else {
      throw BLANError.format("\(path) has \(status.st_size) bytes; a label file has at most \(Self.largest)")
    }
    let buffer = try AlignedBuffer<UInt8>(count: Int(status.st_size), purpose: path)
    var count = 0
    while count < buffer.count {
      let got = read(file, buffer.pointer + count, buffer.count - count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw BLANError.io("cannot read \(path): \(systemError())") }
      if got == 0 { break }
      count += got
    }
    self.path = path
    self.buffer = buffer
    length = count
  }

  /// The bytes, valid during the call.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(buffer) { try body(UnsafeRawBufferPointer(start: buffer.pointer, count: length)) }
  }
}

/// The lines of a text, without their ends (LF or CR LF) and without a byte-order mark.
struct LineReader {
  private var rest: Slice<UnsafeRawBufferPointer>
  /// Number of the line last returned, from 1 on.
  private(set) var number = 0

  init(_ bytes: UnsafeRawBufferPointer) { rest = withoutByteOrderMark(bytes) }

  mutating func next() -> UnsafeRawBufferPointer? {
    guard !rest.isEmpty else { return nil }
    number += 1
    let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
    var line = UnsafeRawBufferPointer(rebasing: rest[..<end])
    rest = rest[min(end + 1, rest.endIndex)...]
    if line.last == UInt8(ascii: "\r") { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
    return line
  }
}

func withoutByteOrderMark(_ bytes: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
  bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
}

/// The words of a line, parted by spaces and tabs.
func splitWords(_ line: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
  line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map(UnsafeRawBufferPointer.init(rebasing:))
}

/// The word as text; nil where it is no UTF-8.
func text(_ word: UnsafeRawBufferPointer) -> String? { String(validating: word, as: UTF8.self) }

/// The number that a label file writes as 1, +1, -1 or 0, with or without `.0`; nil for anything else.
func labelNumber(_ word: UnsafeRawBufferPointer) -> Int8? {
  var digits = word[...]
  if digits.suffix(2).elementsEqual([UInt8(ascii: "."), UInt8(ascii: "0")]) { digits = digits.dropLast(2) }
  let sign = digits.first
  if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { digits = digits.dropFirst() }
  guard digits.count == 1 else { return nil }
  switch digits.first {
  case UInt8(ascii: "0"): return 0
  case UInt8(ascii: "1"): return sign == UInt8(ascii: "-") ? -1 : 1
  default: return nil
  }
}

import BLANTensors

/// How the numbers of a data element are stored; raw values are those of the format.
enum MATType: UInt32 {
  case int8 = 1
  case uint8 = 2
  case int16 = 3
  case uint16 = 4
  case int32 = 5
  case uint32 = 6
  case single = 7
  case double = 9
  case int64 = 12
  case uint64 = 13
  case matrix = 14
  case compressed = 15
  case utf8 = 16
  case utf16 = 17
  case utf32 = 18

  /// Bytes of one number; nil for what holds no numbers.
  var size: Int? {
    switch self {
    case .int8, .uint8, .utf8: return 1
    case .int16, .uint16, .utf16: return 2
    case .int32, .uint32, .single, .utf32: return 4
    case .double, .int64, .uint64: return 8
    case .matrix, .compressed: return nil
    }
  }
}

/// One data element: a type and its bytes.
struct MATElement {
  let type: MATType
  let bytes: UnsafeRawBufferPointer
  let isBigEndian: Bool

  /// Numbers in it; 0 for what holds none.
  var count: Int { type.size.map { bytes.count / $0 } ?? 0 }

  /// The number at a place below ``count``.
  func number(_ index: Int) -> Double {
    switch type {
    case .int8: return Double(load(index, Int8.self))
    case .uint8, .utf8: return Double(load(index, UInt8.self))
    case .int16: return Double(load(index, Int16.self))
    case .uint16, .utf16: return Double(load(index, UInt16.self))
    case .int32: return Double(load(index, Int32.self))
    case .uint32, .utf32: return Double(load(index, UInt32.self))
    case .int64: return Double(load(index, Int64.self))
    case .uint64: return Double(load(index, UInt64.self))
    case .single: return Double(Float(bitPattern: load(index, UInt32.self)))
    case .double: return Double(bitPattern: load(index, UInt64.self))
    case .matrix, .compressed: return .nan
    }
  }

  private func load<Integer: FixedWidthInteger & BitwiseCopyable>(_ index: Int, _: Integer.Type) -> Integer {
    let value = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Integer>.size, as: Integer.self)
    return isBigEndian ? Integer(bigEndian: value) : Integer(littleEndian: value)
  }
}

/// Walks over the data elements that lie one after another in some bytes.
struct MATElements {
  private let bytes: UnsafeRawBufferPointer
  private let isBigEndian: Bool
  private let place: String
  private var position = 0

  /// - Parameter place: what errors call the file and the variable.
  init(_ bytes: UnsafeRawBufferPointer, isBigEndian: Bool, place: String) {
    self.bytes = bytes
    self.isBigEndian = isBigEndian
    self.place = place
  }

  var remaining: Int { bytes.count - position }

  /// The next element; nil at the end.
  ///
  /// - Throws: `BLANError.format` for an element of unknown type, or one that reaches beyond the bytes.
  mutating func next() throws -> MATElement? {
    guard remaining > 0 else { return nil }
    guard remaining >= 8 else { throw BLANError.format("\(place): \(remaining) bytes left over at the end") }
    let word = read(position)
    // A short element has its length in the tag's upper half and up to four bytes in place of the length.
    let short = Int(word >> 16)
    guard let type = MATType(rawValue: short > 0 ? word & 0xffff : word) else {
      throw BLANError.format("\(place): data of the unknown type \(word)")
    }
    let length = short > 0 ? short : Int(read(position + 4))
    let start = position + (short > 0 ? 4 : 8)
    guard length <= bytes.count - start, short <= 4 else {
      throw BLANError.format("\(place): data of \(length) bytes where \(bytes.count - start) are left")
    }
    let end = start + length
    // Only compressed elements are not filled up to eight bytes.
    let next = short > 0 ? position + 8 : type == .compressed ? end : start + ((length + 7) & ~7)
    position = min(next, bytes.count)
    return MATElement(type: type, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), isBigEndian: isBigEndian)
  }

  /// The next element, which must be there.
  mutating func required(_ what: String) throws -> MATElement {
    guard let element = try next() else { throw BLANError.format("\(place): ends before \(what)") }
    return element
  }

  private func read(_ offset: Int) -> UInt32 {
    let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    return isBigEndian ? UInt32(bigEndian: value) : UInt32(littleEndian: value)
  }
}

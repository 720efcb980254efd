/// Reads the one EXIF tag that changes what a photo shows. Every offset is checked: the block is a stranger's.
enum EXIF {
  private static let orientationTag = 0x0112
  private static let shortType = 3

  /// The orientation in a TIFF block (`II*\0…` or `MM\0*…`); upright when there is none or it makes no sense.
  static func orientation(inTIFF block: UnsafeRawBufferPointer) -> Orientation {
    guard block.count >= 8 else { return .upright }
    let littleEndian: Bool
    switch (block[0], block[1]) {
    case (0x49, 0x49): littleEndian = true
    case (0x4d, 0x4d): littleEndian = false
    default: return .upright
    }
    func number(_ offset: Int, _ count: Int) -> Int? {
      guard offset >= 0, offset <= block.count - count else { return nil }
      return (0..<count).reduce(0) { $0 << 8 | Int(block[offset + (littleEndian ? count - 1 - $1 : $1)]) }
    }
    guard number(2, 2) == 42, let directory = number(4, 4), let entries = number(directory, 2) else {
      return .upright
    }
    for entry in 0..<entries {
      let offset = directory + 2 + 12 * entry
      guard let tag = number(offset, 2) else { return .upright }
      if tag == orientationTag, number(offset + 2, 2) == shortType, let value = number(offset + 8, 2) {
        return Orientation(rawValue: value) ?? .upright
      }
    }
    return .upright
  }

  /// The orientation in a JPEG file's first EXIF segment.
  static func orientation(inJPEG bytes: UnsafeRawBufferPointer) -> Orientation {
    let signature: [UInt8] = [0x45, 0x78, 0x69, 0x66, 0, 0]  // "Exif\0\0"
    var offset = 2
    while offset + 4 <= bytes.count, bytes[offset] == 0xff {
      let marker = bytes[offset + 1]
      if marker == 0xff {  // a fill byte
        offset += 1
        continue
      }
      let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
      guard marker != 0xda, marker != 0xd9, length >= 2, offset + 2 + length <= bytes.count else { return .upright }
      let content = UnsafeRawBufferPointer(rebasing: bytes[(offset + 4)..<(offset + 2 + length)])
      if marker == 0xe1, content.count >= signature.count, content.prefix(signature.count).elementsEqual(signature) {
        return orientation(inTIFF: UnsafeRawBufferPointer(rebasing: content[signature.count...]))
      }
      offset += 2 + length
    }
    return .upright
  }
}

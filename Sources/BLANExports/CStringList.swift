/// Zero-terminated copies of many texts in one piece of memory, freed with their last reference.
final class CStringList: @unchecked Sendable {
  private let bytes: UnsafeMutablePointer<CChar>
  /// Where each text begins.
  private let offsets: [Int]

  init(_ texts: [String]) {
    var offsets: [Int] = []
    offsets.reserveCapacity(texts.count)
    var length = 0
    for text in texts {
      offsets.append(length)
      length += text.utf8.count + 1
    }
    bytes = .allocate(capacity: max(length, 1))
    var next = bytes
    for text in texts {
      for byte in text.utf8 {
        next.initialize(to: CChar(bitPattern: byte))
        next += 1
      }
      next.initialize(to: 0)
      next += 1
    }
    self.offsets = offsets
  }

  deinit { bytes.deallocate() }

  var count: Int { offsets.count }

  /// The text, or nil past the end.
  subscript(index: Int) -> UnsafePointer<CChar>? { element(offsets, index).map { UnsafePointer(bytes + $0) } }
}

/// A zero-terminated copy of a text, freed with its last reference.
final class CString: @unchecked Sendable {
  let pointer: UnsafePointer<CChar>
  private let count: Int

  init(_ text: String) {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (index, byte) in bytes.enumerated() { copy[index] = byte }
    pointer = UnsafePointer(copy)
    count = bytes.count
  }

  /// A copy that the caller owns.
  func copy() -> UnsafeMutablePointer<CChar> {
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: count)
    copy.update(from: pointer, count: count)
    return copy
  }

  deinit { pointer.deallocate() }
}

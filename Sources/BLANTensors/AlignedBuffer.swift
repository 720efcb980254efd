import Glibc

/// A fixed-size block of memory aligned to 64 bytes (a cache line, and the widest vector register), freed with
/// its last reference.
///
/// The buffer itself does no synchronisation: whoever shares one between threads decides who writes which part.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let count: Int
  public let pointer: UnsafeMutablePointer<Element>

  /// Allocates `count` elements, all bytes zero.
  ///
  /// - Throws: `BLANError.outOfMemory`, naming `purpose`, when the system has no such block, and
  ///   `BLANError.invalidArgument` when `count` is negative or its byte size overflows.
  public init(count: Int, purpose: @autoclosure () -> String = "a buffer") throws {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard count >= 0, !overflow else {
      throw BLANError.invalidArgument("cannot allocate \(count) elements for \(purpose())")
    }
    let hugePage = 2 << 20
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, bytes < hugePage ? 64 : hugePage, max(bytes, 64)) == 0, let raw else {
      throw BLANError.outOfMemory("no memory for \(purpose()): \(bytes) bytes")
    }
    // Kernels step through large buffers in strides of many small pages. A system without huge pages ignores the wish.
    if bytes >= hugePage { madvise(raw, bytes, MADV_HUGEPAGE) }
    memset(raw, 0, max(bytes, 64))
    self.count = count
    self.pointer = raw.bindMemory(to: Element.self, capacity: max(count, 1))
  }

  deinit { free(pointer) }

  public var elements: UnsafeMutableBufferPointer<Element> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}

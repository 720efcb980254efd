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
    let size = max(bytes, 64)
    guard let raw = bytes < HugePages.size ? Self.zeroedBlock(size) : HugePages.map(size) else {
      throw BLANError.outOfMemory("no memory for \(purpose()): \(bytes) bytes")
    }
    self.count = count
    self.pointer = raw.bindMemory(to: Element.self, capacity: max(count, 1))
  }

  deinit {
    let bytes = count * MemoryLayout<Element>.stride
    if bytes < HugePages.size { free(pointer) } else { HugePages.unmap(pointer, bytes) }
  }

  private static func zeroedBlock(_ size: Int) -> UnsafeMutableRawPointer? {
    // Not every aligned_alloc takes a size that is no multiple of the alignment.
    guard let raw = aligned_alloc(64, (size + 63) & ~63) else { return nil }
    memset(raw, 0, size)
    return raw
  }

  public var elements: UnsafeMutableBufferPointer<Element> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}

/// Large blocks straight from the system, on huge pages where it has them: kernels step through large buffers in strides
/// of many small pages. They come zeroed, their pages when they are first written, by whichever thread that is.
private enum HugePages {
  static let size = 2 << 20

  static func map(_ bytes: Int) -> UnsafeMutableRawPointer? {
    let (reserved, overflow) = bytes.addingReportingOverflow(size)
    guard !overflow, let start = mmap(nil, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED
    else { return nil }
    let block = start.alignedUp(toMultipleOf: size)
    if block > start { munmap(start, block - start) }
    munmap(block + rounded(bytes), (start + reserved) - (block + rounded(bytes)))
    madvise(block, bytes, MADV_HUGEPAGE)
    return block
  }

  static func unmap(_ block: UnsafeMutableRawPointer, _ bytes: Int) { munmap(block, rounded(bytes)) }

  /// Whole pages of the smaller kind.
  private static func rounded(_ bytes: Int) -> Int {
    let page = Int(getpagesize())
    return (bytes + page - 1) / page * page
  }
}

import BLANTensors
import Glibc

/// The bytes of a file mapped for reading, or a caller's bytes, which must outlive this.
///
/// A mapped file must not be truncated by others meanwhile: the system would end the process at the next read.
/// libblan therefore keeps a mapping only while it loads.
final class MappedBytes: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  init(borrowing bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    isMapped = false
  }

  init(path: UnsafePointer<CChar>, name: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw BLANError.io("cannot open \(name): \(systemError())") }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw BLANError.io("cannot read \(name): \(systemError())") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw BLANError.io("\(name) is not a regular file") }
    let size = Int(status.st_size)
    guard size > 0 else { throw BLANError.format("\(name) is empty") }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), address != MAP_FAILED else {
      throw BLANError.io("cannot map \(name): \(systemError())")
    }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
    isMapped = true
  }

  /// Gives the memory of a part that has been read back to the system; reading it again brings it back. So a model's file
  /// and its packed weights are never in memory together.
  func release(_ range: Range<Int>) {
    guard isMapped, let start = bytes.baseAddress else { return }
    let page = Int(getpagesize())
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    guard first < last else { return }
    madvise(UnsafeMutableRawPointer(mutating: start + first), last - first, MADV_DONTNEED)
  }

  deinit {
    if isMapped { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
  }
}

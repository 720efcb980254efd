import Glibc

/// A file that appears whole or not at all: it is written under a temporary name in the same folder, flushed to the
/// disk, and renamed into place. If anything fails, or the process ends, an earlier file of that name is untouched.
public struct AtomicFile: ~Copyable {
  private let path: String
  private let temporary: String
  private var descriptor: Int32

  /// Writes a file at `path` by what `body` writes.
  ///
  /// - Throws: what `body` throws, and `BLANError.io` naming the path and the system's reason.
  public static func write(to path: String, _ body: (inout AtomicFile) throws -> Void) throws {
    var file = try AtomicFile(path: path)
    try body(&file)
    try file.commit()
  }

  private init(path: String) throws {
    self.path = path
    temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw BLANError.io("cannot write \(path): \(systemError())") }
  }

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporary)
    }
  }

  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while rest.count > 0 {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw BLANError.io("cannot write \(path): \(systemError())") }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  private mutating func commit() throws {
    guard fsync(descriptor) == 0 else { throw BLANError.io("cannot write \(path): \(systemError())") }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0, rename(temporary, path) == 0 else {
      let reason = systemError()
      unlink(temporary)
      throw BLANError.io("cannot write \(path): \(reason)")
    }
    try Self.flushFolder(of: path)
  }

  /// Makes the new name itself survive a loss of power.
  private static func flushFolder(of path: String) throws {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    // Some file systems cannot flush a folder and say EINVAL; the file itself is safe by then.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw BLANError.io("cannot flush the folder of \(path): \(systemError())")
    }
  }
}

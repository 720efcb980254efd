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

  /// Removes temporary files of `path` that processes which no longer run left behind when they were killed.
  public static func removeLeftovers(of path: String) {
    let (folder, name) = split(path)
    for found in (try? entryNames(in: folder)) ?? [] {
      let parts = found.dropFirst(name.count + 1).split(separator: ".", omittingEmptySubsequences: false)
      guard found.hasPrefix(name + "."), parts.count == 3, parts[2] == "tmp", UInt32(parts[1]) != nil,
        let process = pid_t(parts[0]), process > 0, kill(process, 0) != 0, errno == ESRCH
      else { continue }
      unlink(folder + "/" + found)
    }
  }

  /// The folder of a path and the name in it.
  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
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
    let folder = split(path).folder
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    // Some file systems cannot flush a folder and say EINVAL; the file itself is safe by then.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw BLANError.io("cannot flush the folder of \(path): \(systemError())")
    }
  }
}

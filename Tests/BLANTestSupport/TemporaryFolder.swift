import BLANTensors
import Glibc

/// A folder that goes with its last reference.
public final class TemporaryFolder: Sendable {
  public let path: String

  /// - Throws: `BLANError.io` where no folder can be made.
  public init() throws {
    var template = Array("/tmp/blan-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw BLANError.io("cannot make a temporary folder: \(systemError())") }
    path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
  }

  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file and returns its path.
  public func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let stream = fopen(file(name), "wb")
    guard let stream, fwrite(bytes, 1, bytes.count, stream) == bytes.count, fclose(stream) == 0 else {
      throw BLANError.io("cannot write \(file(name)): \(systemError())")
    }
    return file(name)
  }

  /// The names of its files, sorted.
  public func names() -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  deinit {
    for name in names() { unlink(file(name)) }
    rmdir(path)
  }
}

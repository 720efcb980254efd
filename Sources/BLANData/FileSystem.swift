import BLANTensors
import Glibc

/// What the data sets ask of the file system.
enum FileSystem {
  static func isFile(_ path: String) -> Bool { mode(path) == S_IFREG }
  static func isFolder(_ path: String) -> Bool { mode(path) == S_IFDIR }

  /// Names in a folder, without those that begin with a dot, in the order of their bytes.
  ///
  /// - Throws: `BLANError.io`, naming the folder.
  static func names(in folder: String) throws -> [String] {
    let names = try entryNames(in: folder).filter { !$0.hasPrefix(".") }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The folder that holds a file: `.` for a bare name.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func mode(_ path: String) -> mode_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }
}

import Glibc

/// The names of a folder's entries in the order that the system has them, `.` and `..` included.
///
/// - Throws: `BLANError.io`, naming the folder.
package func entryNames(in folder: String) throws -> [String] {
  guard let stream = opendir(folder) else { throw BLANError.io("cannot open \(folder): \(systemError())") }
  defer { closedir(stream) }
  var names: [String] = []
  errno = 0
  while let entry = readdir(stream) {
    // By reference: an entry ends with its name, so that a copy of the whole array would read beyond the listing.
    names.append(
      withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    errno = 0
  }
  guard errno == 0 else { throw BLANError.io("cannot read \(folder): \(systemError())") }
  return names
}

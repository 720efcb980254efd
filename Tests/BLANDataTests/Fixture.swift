import Glibc
import Testing

/// Files of Tests/Fixtures, each written by the script beside it.
enum Fixture {
  static func path(_ name: String) -> String {
    #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Fixtures/" + name
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    let file = try #require(fopen(path(name), "rb"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
    return bytes
  }
}

import BLANWeights
import Glibc

/// Files of Tests/Fixtures, each written by a script there.
public enum Fixtures {
  private static let folder = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Fixtures/"

  public static func path(_ name: String) -> String { folder + name }

  /// All bytes of a fixture; none where it cannot be read.
  public static func bytes(_ name: String) -> [UInt8] { fileBytes(path(name)) }
}

/// All bytes of a file; none where it cannot be read.
public func fileBytes(_ path: String) -> [UInt8] {
  guard let file = fopen(path, "rb") else { return [] }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
  return bytes
}

/// A safetensors fixture: named arrays and the words of its metadata.
public struct TensorFixture: Sendable {
  private let file: SafetensorsFile

  public init(_ name: String) throws { file = try SafetensorsFile(path: Fixtures.path(name)) }

  public func has(_ name: String) -> Bool { file.tensors[name] != nil }

  public var names: [String] { file.tensors.keys.sorted() }

  public func shape(_ name: String) -> [Int]? { file.tensors[name]?.shape }

  /// A tensor's numbers, in C order.
  public func floats(_ name: String) throws -> [Float] {
    try file.withTensor(name, shape: file.tensors[name]?.shape ?? []) { Array($0) }
  }

  public func bytes(_ name: String) throws -> [UInt8] { try file.withBytes(name, type: .uint8) { Array($0) } }

  public func word(_ name: String) -> String { file.metadata[name] ?? "" }

  /// A number of the metadata; -1 where there is none, which no fixture means.
  public func number(_ name: String) -> Int { Int(word(name)) ?? -1 }
}

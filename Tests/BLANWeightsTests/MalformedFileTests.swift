import BLANTensors
import BLANTestSupport
import Glibc
import Testing

@testable import BLANWeights

/// One test for each cause of a refusal: the error's kind, and words that say what and where.
@Suite struct MalformedFileTests {
  /// Reads the bytes as a file in memory and expects a refusal.
  private func refusal(_ bytes: [UInt8]) -> BLANError? {
    var refusal: BLANError?
    bytes.withUnsafeBytes { bytes in
      do {
        _ = try SafetensorsFile(borrowing: bytes, name: "it")
      } catch {
        refusal = error as? BLANError
      }
    }
    return refusal
  }

  private func expect(
    _ bytes: [UInt8], _ kind: BLANError.Kind, _ words: String..., location: SourceLocation = #_sourceLocation
  ) {
    let error = refusal(bytes)
    #expect(error?.kind == kind, "\(String(describing: error))", sourceLocation: location)
    for word in words {
      #expect(error?.message.contains(word) == true, "\(String(describing: error))", sourceLocation: location)
    }
  }

  private typealias Bytes = SafetensorsBytes
  private let good = SafetensorsBytes.entry("a", "F32", "[2,3]", "0", "24")

  @Test func aWellFormedFileIsRead() {
    #expect(refusal(Bytes.file("{\(good)}", data: 24)) == nil)
    #expect(refusal(Bytes.file("{}")) == nil)
    #expect(refusal(Bytes.file("{\(good)}   ", data: 24)) == nil, "padding of the header")
    #expect(refusal(Bytes.file("{\(Bytes.entry("scalar", "F32", "[]", "0", "4"))}", data: 4)) == nil)
    #expect(refusal(Bytes.file("{\(Bytes.entry("none", "F32", "[0,7]", "0", "0"))}")) == nil)
  }

  @Test func lessThanALength() {
    expect([], .format, "it has 0 bytes")
    expect([1, 2, 3, 4, 5, 6, 7], .format, "7 bytes", "at least 8")
  }

  @Test func aHeaderLongerThanTheFile() {
    expect(Bytes.file("{}", length: 3), .format, "claims 3 bytes", "2 follow")
    expect(Bytes.file("{}", length: .max), .format, "claims 18446744073709551615 bytes")
    expect(Bytes.file("{}", length: 1 << 63), .format, "claims 9223372036854775808 bytes")
  }

  @Test func aHeaderThatIsNoObject() {
    expect(Bytes.file(""), .format, "not a JSON object")
    expect(Bytes.file("[]"), .format, "not a JSON object")
    expect(Bytes.file(" {}"), .format, "not a JSON object")
  }

  @Test func aHeaderThatIsNoJSON() {
    expect(Bytes.file("{\"a\":"), .format, "header is not valid")
    expect(Bytes.file("{\(good)}x", data: 24), .format, "header is not valid")
    expect(Array(Bytes.file("{").prefix(8)) + [0xff, 0xfe], .format)
    expect(Bytes.file(String(repeating: "{\"a\":", count: 100_000)), .format, "header is not valid")
    expect(Bytes.file("{\"a\":" + String(repeating: "[", count: 1_000_000)), .format, "header is not valid")
  }

  @Test func entriesWithoutTheirParts() {
    expect(Bytes.file("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", data: 4), .format, "\"a\"", "dtype")
    expect(Bytes.file("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", data: 4), .format, "\"a\"", "shape")
    expect(Bytes.file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", data: 4), .format, "\"a\"", "data_offsets")
    expect(Bytes.file("{\"a\":7}", data: 4), .format, "a")
  }

  @Test func metadataThatAreNoWords() {
    expect(Bytes.file("{\"__metadata__\":{\"format\":1}}"), .format, "__metadata__")
    expect(Bytes.file("{\"__metadata__\":[]}"), .format, "__metadata__")
  }

  @Test func elementTypesThatAreNotRead() {
    expect(Bytes.file("{\(Bytes.entry("a", "F64", "[1]", "0", "8"))}", data: 8), .unsupported, "\"a\"", "F64")
    expect(Bytes.file("{\(Bytes.entry("a", "f32", "[1]", "0", "4"))}", data: 4), .unsupported, "f32")
  }

  @Test func offsetsOutsideTheFile() {
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "0", "4"))}", data: 3), .format, "\"a\"", "of 3")
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "-4", "0"))}", data: 4), .format, "\"a\"")
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "4", "0"))}", data: 4), .format, "\"a\"")
    expect(
      Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "0", "9223372036854775807"))}", data: 4), .format, "\"a\"")
    expect(
      Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "-9223372036854775808", "9223372036854775807"))}", data: 4),
      .format, "\"a\"")
  }

  @Test func offsetsThatAreNoPairOfIntegers() {
    expect(Bytes.file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", data: 4), .format, "\"a\"")
    expect(Bytes.file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", data: 4), .format, "\"a\"")
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "0", "4.5"))}", data: 4), .format, "a")
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[1]", "0", "18446744073709551620"))}", data: 4), .format, "a")
  }

  @Test func shapesThatDoNotFillTheirBytes() {
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[2,3]", "0", "20"))}", data: 20), .format, "\"a\"", "[2, 3]", "20")
    expect(Bytes.file("{\(Bytes.entry("a", "F16", "[2,3]", "0", "24"))}", data: 24), .format, "F16")
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[-1]", "0", "4"))}", data: 4), .format, "\"a\"")
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[1.5]", "0", "4"))}", data: 4), .format)
  }

  @Test func shapesThatOverflow() {
    let huge = "[4294967296,4294967296,4294967296]"
    expect(Bytes.file("{\(Bytes.entry("a", "F32", huge, "0", "4"))}", data: 4), .format, "\"a\"")
    expect(
      Bytes.file("{\(Bytes.entry("a", "F32", "[9223372036854775807,2]", "0", "4"))}", data: 4), .format, "\"a\"")
    // 2^62 elements of 4 bytes are 2^64 bytes, which wraps to 0.
    expect(Bytes.file("{\(Bytes.entry("a", "F32", "[4611686018427387904]", "0", "0"))}"), .format, "\"a\"")
  }

  @Test func overlappingTensors() {
    let second = Bytes.entry("b", "F32", "[1]", "20", "24")
    expect(Bytes.file("{\(good),\(second)}", data: 24), .format, "\"b\"", "hole or an overlap")
    let twin = Bytes.entry("b", "F32", "[2,3]", "0", "24")
    expect(Bytes.file("{\(good),\(twin)}", data: 24), .format, "hole or an overlap")
  }

  @Test func holesAndBytesTooMany() {
    let second = Bytes.entry("b", "F32", "[1]", "28", "32")
    expect(Bytes.file("{\(good),\(second)}", data: 32), .format, "\"b\"", "byte 28", "24 was expected")
    expect(Bytes.file("{\(good)}", data: 25), .format, "1 bytes follow the last tensor")
    expect(Bytes.file("{}", data: 4), .format, "4 bytes follow")
  }

  @Test func filesThatCannotBeRead() throws {
    let folder = try TemporaryFolder()
    func kind(_ path: String) -> BLANError? {
      do {
        _ = try SafetensorsFile(path: path)
        return nil
      } catch { return error as? BLANError }
    }
    let missing = kind(folder.file("none"))
    #expect(missing?.kind == .io)
    #expect(missing?.message.contains(folder.file("none")) == true)
    #expect(kind(folder.path)?.kind == .io)
    #expect(kind(try folder.write("empty", []))?.kind == .format)
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    #expect(kind(folder.file("pipe"))?.kind == .io, "a pipe nobody writes to must not block")
  }

  @Test func tensorsThatAreAskedForInVain() throws {
    let header = "{\(good),\(Bytes.entry("i", "I64", "[1]", "24", "32"))}"
    try Bytes.file(header, data: 32).withUnsafeBytes { bytes in
      let file = try SafetensorsFile(borrowing: bytes, name: "it")
      #expect(throws: BLANError.format("it has no tensor \"b\"")) { try file.withTensor("b", shape: [1]) { _ in } }
      #expect(throws: BLANError.shape("it: tensor \"a\" has shape [2, 3]; expected [3, 2]")) {
        try file.withTensor("a", shape: [3, 2]) { _ in }
      }
      #expect(throws: BLANError.format("it: tensor \"i\" has elements of type I64, not floats")) {
        try file.withTensor("i", shape: [1]) { _ in }
      }
      #expect(throws: BLANError.self) { try file.withBytes("a", type: .int64) { _ in } }
      #expect(try file.withTensor("a", shape: [2, 3]) { $0.count } == 6)
    }
  }

  /// A header that is no multiple of 4 long puts floats at odd addresses.
  @Test func unalignedTensorsAreReadAllTheSame() throws {
    for padding in 0..<4 {
      var bytes = Bytes.file("{\(good)}" + String(repeating: " ", count: padding), data: 24)
      withUnsafeBytes(of: Float(1.5)) { bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: $0) }
      try bytes.withUnsafeBytes {
        let file = try SafetensorsFile(borrowing: $0)
        #expect(try file.withTensor("a", shape: [2, 3]) { Array($0) } == [0, 0, 0, 0, 0, 1.5])
      }
    }
  }
}

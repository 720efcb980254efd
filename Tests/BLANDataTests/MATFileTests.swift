import BLANTensors
import Testing

@testable import BLANData

@Suite struct MATFileTests {
  private let kinds: [String: MATValue]
  private let folder: TemporaryFolder

  init() throws {
    kinds = try MATFile(path: Fixture.path("mat/kinds.mat")).variables
    folder = try TemporaryFolder()
  }

  @Test(
    arguments: [
      "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
    ])
  func numbersOfEveryStorage(kind: String) throws {
    guard case .numbers(2, 3, let numbers)? = kinds["n_" + kind] else {
      Issue.record("n_\(kind) is \(String(describing: kinds["n_" + kind]))")
      return
    }
    #expect(numbers == [1, 4, 2, 5, 3, 6])
  }

  @Test func signsTextsAndEmptyArrays() {
    if case .numbers(1, 2, let numbers)? = kinds["negative"] { #expect(numbers == [-1.5, -7]) } else { Issue.record() }
    if case .text(let rows)? = kinds["umlaut"] { #expect(rows == ["Zoë"]) } else { Issue.record() }
    if case .numbers(0, 3, let numbers)? = kinds["empty"] { #expect(numbers.isEmpty) } else { Issue.record() }
  }

  @Test func cellsInCells() {
    guard case .cells(let outer)? = kinds["nested"], outer.count == 2, case .cells(let inner) = outer[0],
      case .text(let rows) = inner[0], case .numbers(2, 3, let numbers) = outer[1]
    else {
      Issue.record()
      return
    }
    #expect(rows == ["inner"])
    #expect(numbers == [0, 3, 1, 4, 2, 5])
  }

  @Test(arguments: ["structure", "complex", "cube", "sparse"]) func whatIsNotReadIsPassedOver(name: String) throws {
    let value = try #require(kinds[name])
    if case .other = value { return }
    Issue.record("\(name) was read as \(value)")
  }

  /// A file with one uncompressed 2 x 1 matrix `x` of 32-bit integers: 7 and -2.
  private func handmade(bigEndian: Bool) -> [UInt8] {
    func word(_ value: UInt32) -> [UInt8] {
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      return bigEndian ? bytes.reversed() : bytes
    }
    let name: [UInt8] = bigEndian ? [0, 1, 0, 1, 0x78, 0, 0, 0] : [1, 0, 1, 0, 0x78, 0, 0, 0]
    let content =
      [word(6), word(8), word(12), word(0), word(5), word(8), word(2), word(1)].flatMap { $0 } + name
      + [word(5), word(8), word(7), word(UInt32(bitPattern: -2))].flatMap { $0 }
    let header = [UInt8](repeating: 32, count: 124) + (bigEndian ? [1, 0, 0x4d, 0x49] : [0, 1, 0x49, 0x4d])
    return header + word(14) + word(UInt32(content.count)) + content
  }

  @Test(arguments: [false, true]) func bothByteOrders(bigEndian: Bool) throws {
    try folder.write("x.mat", handmade(bigEndian: bigEndian))
    guard case .numbers(2, 1, let numbers)? = try MATFile(path: folder.path + "/x.mat").variables["x"] else {
      Issue.record()
      return
    }
    #expect(numbers == [7, -2])
  }

  private func failure(_ bytes: [UInt8]) throws -> BLANError {
    try folder.write("bad.mat", bytes)
    let error = #expect(throws: BLANError.self) { try MATFile(path: folder.path + "/bad.mat") }
    let found = try #require(error)
    #expect(found.message.contains("bad.mat"))
    return found
  }

  @Test func otherVersionsAreNamed() throws {
    #expect(try failure(Array("MATLAB 7.3 MAT-file".utf8)).message.contains("7.3 (HDF5)"))
    #expect(try failure([UInt8](repeating: 0, count: 200)).kind == .unsupported)
    #expect(try failure([]).kind == .format)
  }

  @Test func lengthsAndCountsAreNotTrusted() throws {
    let good = handmade(bigEndian: false)
    // Places of the file: the array's length, its class, its rows, the type and the length of its numbers.
    let changes: [(Int, [UInt8])] = [
      (132, [0xff, 0xff, 0xff, 0xff]), (132, [200, 0, 0, 0]), (144, [1, 0, 0, 0]), (160, [0xff, 0xff, 0xff, 0x7f]),
      (160, [0xff, 0xff, 0xff, 0xff]), (160, [3, 0, 0, 0]), (176, [99, 0, 0, 0]), (180, [255, 0, 0, 0]),
      (180, [4, 0, 0, 0]), (152, [6, 0, 0, 0]), (136, [5, 0, 0, 0]),
    ]
    for (place, bytes) in changes {
      var bad = good
      bad.replaceSubrange(place..<place + 4, with: bytes)
      #expect(try failure(bad).kind == .format, "\(bytes) at \(place)")
    }
    for length in [129, 135, 140, good.count - 1] { #expect(try failure(Array(good[..<length])).kind == .format) }
  }

  @Test func damagedCompressionIsNamed() throws {
    var bytes = try Fixture.bytes("mat/lfwa.mat")
    bytes[140] ^= 0xff
    #expect(try failure(bytes).message.contains("zlib"))
  }

  @Test func bombsAreStopped() throws {
    let zeros = [UInt8](repeating: 0x78, count: 8)
    #expect(throws: BLANError.self) { try zeros.withUnsafeBytes { try Inflater.inflate($0, limit: 100, place: "x") } }
    let bytes = try Fixture.bytes("mat/lfwa.mat")
    try bytes.withUnsafeBytes { bytes in
      let length = Int(bytes.loadUnaligned(fromByteOffset: 132, as: UInt32.self))
      let stream = UnsafeRawBufferPointer(rebasing: bytes[136..<136 + length])
      let whole = try Inflater.inflate(stream, limit: 1 << 20, place: "x")
      #expect(try Inflater.inflate(stream, limit: whole.count, place: "x") == whole)
      let error = #expect(throws: BLANError.self) { try Inflater.inflate(stream, limit: whole.count - 1, place: "x") }
      #expect(try #require(error).message.contains("stand for more than"))
    }
  }
}

import BLANTensors
import BLANTestSupport
import Glibc
import Testing

@testable import BLANWeights

/// Tensors of a test, by name.
struct ListedTensors: TensorSource {
  let values: [String: [Float]]

  func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard let values = values[name] else { throw BLANError.internal("no tensor \(name)") }
    return try values.withUnsafeBufferPointer(body)
  }
}

@Suite struct WriterTests {
  private let folder: TemporaryFolder
  private let source = ListedTensors(values: ["a": (0..<6).map { Float($0) * 1.25 - 3 }, "b/\"ü\n": [.pi], "none": []])

  init() throws { folder = try TemporaryFolder() }

  private func tensors(_ type: ElementType = .float32) -> [SafetensorsWriter.Tensor] {
    [
      SafetensorsWriter.Tensor("a", from: source, shape: [2, 3], as: type),
      SafetensorsWriter.Tensor("none", from: source, shape: [0], as: type),
      SafetensorsWriter.Tensor("b/\"ü\n", from: source, shape: [1], as: type),
    ]
  }

  private func contents(_ name: String) -> [UInt8] { fileBytes(folder.file(name)) }

  @Test func whatIsWrittenIsRead() throws {
    let metadata = ["format": "blan", "words": "\"quoted\", \\ and ü\u{1}/"]
    try SafetensorsWriter.write(tensors(), metadata: metadata, to: folder.file("f"))
    let file = try SafetensorsFile(path: folder.file("f"))
    #expect(file.metadata == metadata)
    #expect(file.tensors.keys.sorted() == ["a", "b/\"ü\n", "none"])
    #expect(try file.withTensor("a", shape: [2, 3]) { Array($0) } == source.values["a"])
    #expect(try file.withTensor("b/\"ü\n", shape: [1]) { Array($0) } == [.pi])
    #expect(try file.withTensor("none", shape: [0]) { Array($0) }.isEmpty)
    let bytes = contents("f")
    let header = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    #expect(header % 8 == 0, "tensors must begin at a multiple of 8 bytes")
  }

  @Test func halvesAreWrittenRounded() throws {
    for type in [ElementType.float16, .bfloat16] {
      try SafetensorsWriter.write(tensors(type), metadata: [:], to: folder.file("f"))
      let file = try SafetensorsFile(path: folder.file("f"))
      #expect(file.tensors["a"]?.type == type)
      #expect(try file.withTensor("a", shape: [2, 3]) { Array($0) } == source.values["a"])  // exact in both
      let pi = type == .float16 ? Float(3.140625) : 3.140625
      #expect(try file.withTensor("b/\"ü\n", shape: [1]) { Array($0) } == [pi])
    }
  }

  /// More numbers than are converted at once.
  @Test func longTensorsAreWrittenInPieces() throws {
    let long = ListedTensors(values: ["long": (0..<150_001).map { Float($0 % 2048) }])
    let tensor = SafetensorsWriter.Tensor("long", from: long, shape: [150_001], as: .float16)
    try SafetensorsWriter.write([tensor], metadata: [:], to: folder.file("f"))
    let read = try SafetensorsFile(path: folder.file("f")).withTensor("long", shape: [150_001]) { Array($0) }
    #expect(read == long.values["long"])
  }

  @Test func theSameTensorsGiveTheSameBytes() throws {
    let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("key \($0)", "\($0)") })
    try SafetensorsWriter.write(tensors(), metadata: metadata, to: folder.file("f"))
    try SafetensorsWriter.write(tensors(), metadata: metadata, to: folder.file("g"))
    #expect(contents("f") == contents("g"))
  }

  @Test func aFailureHalfWayLeavesTheEarlierFile() throws {
    try SafetensorsWriter.write(tensors(), metadata: [:], to: folder.file("f"))
    let before = contents("f")
    let failing = SafetensorsWriter.Tensor("c", type: .float32, shape: [4]) { sink in
      try sink(UnsafeRawBufferPointer(start: nil, count: 0))
      throw BLANError.io("the disk is full")
    }
    #expect(throws: BLANError.io("the disk is full")) {
      try SafetensorsWriter.write(tensors() + [failing], metadata: [:], to: folder.file("f"))
    }
    #expect(contents("f") == before)
    #expect(folder.names() == ["f"], "a temporary file was left")
  }

  @Test func aTensorThatIsNotAsLongAsAnnouncedIsNoFile() throws {
    for count in [3, 5] {
      let wrong = SafetensorsWriter.Tensor("w", type: .float32, shape: [4]) { sink in
        try [Float](repeating: 1, count: count).withUnsafeBytes(sink)
      }
      #expect(throws: BLANError.self) { try SafetensorsWriter.write([wrong], metadata: [:], to: folder.file("f")) }
    }
    #expect(folder.names().isEmpty)
  }

  @Test func placesThatCannotBeWrittenAreNamed() throws {
    let path = folder.file("no/folder/f")
    do {
      try SafetensorsWriter.write(tensors(), metadata: [:], to: path)
      Issue.record("it was written")
    } catch let error as BLANError {
      #expect(error.kind == .io)
      #expect(error.message.contains(path))
    }
    // A folder stands where the file should: the rename fails, and nothing stays behind.
    #expect(mkdir(folder.file("taken"), 0o700) == 0)
    defer { rmdir(folder.file("taken")) }
    #expect(throws: BLANError.self) { try SafetensorsWriter.write(tensors(), metadata: [:], to: folder.file("taken")) }
    #expect(folder.names() == ["taken"])
  }

  @Test func shapesThatOverflowAreRefused() {
    let huge = SafetensorsWriter.Tensor("h", type: .float32, shape: [1 << 40, 1 << 40]) { _ in }
    let two = (0..<2).map { SafetensorsWriter.Tensor("h\($0)", type: .uint8, shape: [Int.max - 7]) { _ in } }
    for tensors in [[huge], two] {
      #expect(throws: BLANError.self) { try SafetensorsWriter.write(tensors, metadata: [:], to: folder.file("f")) }
    }
    #expect(folder.names().isEmpty)
  }
}

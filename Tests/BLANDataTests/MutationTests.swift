import BLANTensors
import Testing

@testable import BLANData

/// A thousand damaged copies of each kind of label file: opening one gives a data set or a `BLANError`, never a crash.
@Suite struct MutationTests {
  private static let count = 1000
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.makeFolder("img_align_celeba")
    for name in ["Ann_Lee/Ann_Lee_0001.jpg", "Bo/Bo_0001.jpg"] { try folder.write(name, "") }
  }

  /// Overwrites, inserts, removes, repeats or cuts bytes, one to four times.
  private func mutate(_ bytes: [UInt8], _ stream: inout RandomStream) -> [UInt8] {
    var bytes = bytes
    let telling = Array("\n\r,\"\0-+019 \t\\/.".utf8) + [0xff, 0x80, 0xef]
    for _ in 0..<Int.random(in: 1...4, using: &stream) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &stream)
      let byte =
        Bool.random(using: &stream)
        ? UInt8.random(in: 0...255, using: &stream) : telling.randomElement(using: &stream) ?? 0
      switch Int.random(in: 0..<5, using: &stream) {
      case 0: bytes[place] = byte
      case 1: bytes.insert(byte, at: place)
      case 2: bytes.removeSubrange(place..<min(place + Int.random(in: 1...9, using: &stream), bytes.count))
      case 3: bytes.insert(contentsOf: bytes[place..<min(place + 40, bytes.count)], at: place)
      default: bytes.removeSubrange(Bool.random(using: &stream) ? place..<bytes.count : bytes.count - 1..<bytes.count)
      }
    }
    return bytes
  }

  /// How many of the copies were opened and how many refused.
  private func open(
    _ bytes: [UInt8], as name: String, kind: DatasetKind, split: DatasetSplit = .all
  ) throws -> (opened: Int, refused: Int) {
    var stream = RandomStream(seed: 2020, key: name)
    var result = (opened: 0, refused: 0)
    for round in 0..<Self.count {
      try folder.write(name, mutate(bytes, &stream))
      do {
        let data = try Dataset.open(
          path: kind == .csv ? "\(folder.path)/\(name)" : folder.path, kind: kind, split: split)
        #expect(data.labels.count == data.count * data.attributes.count, "round \(round)")
        result.opened += 1
      } catch let error as BLANError {
        #expect(error.kind != .internal && !error.message.isEmpty, "round \(round)")
        result.refused += 1
      }
    }
    return result
  }

  /// Both ways out were taken: the damage is neither always nor never harmless.
  private func expectBoth(_ result: (opened: Int, refused: Int)) {
    #expect(result.opened + result.refused == Self.count)
    #expect(result.opened > 0 && result.refused > 0, "\(result)")
  }

  @Test func tables() throws {
    let text = "path,split,A,\"B, b\",age\na.png,train,1,0,old\n\"b,\"\"2.png\",test,,1,\nc.png,val,0,1,young\n"
    expectBoth(try open(Array(text.utf8), as: "faces.csv", kind: .csv))
    expectBoth(try open(Array(text.utf8), as: "faces.csv", kind: .csv, split: .test))
  }

  @Test func celebA() throws {
    try folder.write(CelebA.partitionFile, "1.jpg 0\n2.jpg 1\n3.jpg 2\n")
    let labels = "3\nA B C\n1.jpg 1 -1 1\n2.jpg -1 1 0\n3.jpg 1 1 1\n"
    expectBoth(try open(Array(labels.utf8), as: CelebA.labelFile, kind: .celebA, split: .train))
    try folder.write(CelebA.labelFile, labels)
    expectBoth(
      try open(Array("1.jpg 0\n2.jpg 1\n3.jpg 2\n".utf8), as: CelebA.partitionFile, kind: .celebA, split: .train))
  }

  @Test func texts() throws {
    let text = "A B\nAnn_Lee/Ann_Lee_0001.jpg 1 0\nBo_0001.jpg 0 1\n"
    expectBoth(try open(Array(text.utf8), as: "lfw_att_40.txt", kind: .lfwa))
  }

  @Test(arguments: ["lfwa.mat", "lfwa_plain.mat", "lfwa_bytes.mat", "kinds.mat"]) func matrices(name: String) throws {
    let result = try open(Fixture.bytes("mat/" + name), as: "lfw_att_40.mat", kind: .lfwa)
    #expect(result.opened + result.refused == Self.count)
    #expect(result.refused > 0)
    if name != "kinds.mat" { #expect(result.opened > 0) }
  }

  @Test func protocols() throws {
    try folder.write("lfw_att_40.txt", "A\nAnn_Lee/Ann_Lee_0001.jpg 1\nBo_0001.jpg 0\nBo_0002.jpg 0\nBo_0003.jpg 0\n")
    let name = LFWA.protocolFile
    expectBoth(try open(Fixture.bytes("mat/" + name), as: name, kind: .lfwa, split: .train))
  }
}

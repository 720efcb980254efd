import BLANTensors
import Testing

@testable import BLANData

@Suite struct LFWATests {
  private static let names = [
    "Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo/Bo_0001.jpg", "Cy_X/Cy_X_0001.jpg",
  ]
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in Self.names { try folder.write("lfw/" + name, "") }
  }

  private func add(_ fixture: String, as name: String) throws {
    try folder.write(name, Fixture.bytes("mat/" + fixture))
  }

  @Test(arguments: ["lfwa.mat", "lfwa_plain.mat"]) func matricesWithCells(fixture: String) throws {
    try add(fixture, as: "lfw_att_40.mat")
    let data = try Dataset.open(path: folder.path)
    #expect(data.attributes == ["5_o_Clock_Shadow", "Smiling"])
    #expect(data.labels == [1, -1, -1, -1, 1, 1, -1, 1])
    #expect(data.paths == Self.names.map { "\(folder.path)/lfw/\($0)" })
    #expect(try Dataset.open(path: folder.path + "/lfw_att_40.mat").labels == data.labels)
  }

  @Test func signedLabelsAndCharacterMatrices() throws {
    try add("lfwa_bytes.mat", as: "labels.mat")
    let data = try Dataset.open(path: folder.path, kind: .lfwa, attributes: ["B"])
    #expect(data.labels == [0, -1, 1, 1])
    #expect(data.paths.last == "\(folder.path)/lfw/Cy_X/Cy_X_0001.jpg")
  }

  @Test func theOfficialHalves() throws {
    try add("lfwa.mat", as: "lfw_att_40.mat")
    try add("indices_train_test.mat", as: LFWA.protocolFile)
    #expect(try Dataset.open(path: folder.path, split: .train).labels == [-1, -1, 1, -1])
    #expect(try Dataset.open(path: folder.path, split: .test).labels == [1, 1, -1, 1])
    let error = #expect(throws: BLANError.self) { try Dataset.open(path: folder.path, split: .validation) }
    #expect(try #require(error).message.contains("no validation part"))
    try add("kinds.mat", as: LFWA.protocolFile)
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path, split: .train) }
  }

  @Test(arguments: LFWAProtocol.allCases) func drawnPartsShareNobody(protocol: LFWAProtocol) throws {
    let names = (0..<1000).map { "P\($0 * $0 / 4000)/P\($0 * $0 / 4000)_\($0).jpg" }
    try folder.write("lfw/" + names[0], "")
    try folder.write("lfw_att_40.txt", "1000\nA\n" + names.map { $0 + " 1\n" }.joined())
    func persons(_ split: DatasetSplit) throws -> (count: Int, names: Set<String>) {
      let paths = try Dataset.open(path: folder.path, split: split, protocol: `protocol`).paths
      return (paths.count, Set(paths.map { FileSystem.folder(of: $0) }))
    }
    let train = try persons(.train)
    let test = try persons(.test)
    #expect(train.names.isDisjoint(with: test.names))
    if `protocol` == .halves {
      #expect(train.count + test.count == 1000)
      #expect((480...520).contains(train.count))
    } else {
      let validation = try persons(.validation)
      #expect(train.count + validation.count + test.count == 1000)
      #expect((780...820).contains(train.count) && (80...120).contains(validation.count))
      #expect(validation.names.isDisjoint(with: train.names.union(test.names)))
    }
  }

  @Test(
    arguments: [
      "4\nA B\n\(names[0]) 1 0\n\(names[1]) 0 0\n\(names[2]) 1 1\n\(names[3]) 0 1\n",
      "name A B\n\(names[0]) 1 0\n\(names[1]) 0 0\n\(names[2]) 1 1\n\(names[3]) 0 1\n",
      "A,B\n\(names[0]),1,0\n\(names[1]),0,0\n\(names[2]),1,1\n\(names[3]),0,1\n",
      "A\tB\nAnn_Lee_0001.jpg\t1\t0\nAnn_Lee_0002.jpg\t0\t0\nBo_0001.jpg\t1\t1\nCy_X_0001.jpg\t0\t1",
      "A B\n1 0\n0 0\n1 1\n0 1\n", "A B\r\n1.0 -1\r\n-1 -1\r\n1 1\r\n-1 1\r\n",
    ])
  func textsOfEveryLayout(text: String) throws {
    try folder.write("lfw_att_40.txt", text)
    let data = try Dataset.open(path: folder.path)
    #expect(data.attributes == ["A", "B"])
    #expect(data.labels == [1, -1, -1, -1, 1, 1, -1, 1])
    #expect(data.paths == Self.names.map { "\(folder.path)/lfw/\($0)" })
  }

  @Test func fortyColumnsNeedNoNames() throws {
    let row = (0..<40).map { $0 % 3 == 0 ? "1" : "0" }.joined(separator: " ")
    try folder.write("lfw_att_40.txt", Self.names.map { "\($0) \(row)\n" }.joined())
    let data = try Dataset.open(path: folder.path)
    #expect(data.attributes == Attributes.celebA)
    #expect(Array(data.labels(of: 3)) == (0..<40).map { $0 % 3 == 0 ? 1 : -1 })
  }

  @Test(
    arguments: [
      ("", "is empty"), ("A B\n", "no rows"), ("1 0\n", "names no attributes"), ("A B\n1 0\n1\n", "line 3"),
      ("A B\n1 2\n", "line 2: \"2\""), ("A B\n1 0\n", "rows without image names"),
      ("A B C\nx/y.jpg 1\n", "3 attribute"),
      ("A\nx.jpg 1\n", "expected Person/Person_0001.jpg"), ("A B\nx/y.jpg 1 1\nx/y.jpg 0 0\n", "has a row already"),
      ("A B\nnobody/nobody_0001.jpg 1 1\n", "has no image nobody"),
    ])
  func damageIsNamed(text: String, expected: String) throws {
    try folder.write("lfw_att_40.txt", text)
    let error = #expect(throws: BLANError.self) { try Dataset.open(path: folder.path) }
    #expect(try #require(error).message.contains(expected), "\(String(describing: error))")
  }

  @Test func theFolderOfTheOthersIsNotTakenForLFWA() throws {
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path, kind: .lfwa) }
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path) }
  }
}

import BLANTensors
import Testing

@testable import BLANData

@Suite struct DatasetTests {
  private let data: Dataset

  init() throws {
    data = try Dataset(
      source: "here", attributes: ["A", "B"], paths: ["p", "q", "r", "s"], labels: [1, -1, 0, 1, -1, -1, 1, 0],
      groups: [GroupColumn(name: "age", values: ["old", "young"], codes: [0, 1, -1, 0])])
  }

  @Test func subsetsKeepRowsTogether() throws {
    let part = try data.subset([3, 1])
    #expect(part.paths == ["s", "q"])
    #expect(part.labels == [1, 0, 0, 1])
    #expect(part.groups[0].codes == [0, 1])
    #expect(throws: BLANError.self) { try data.subset([4]) }
  }

  @Test func columnsAreSelectedRenamedAndFilledIn() throws {
    let chosen = try data.selecting(["B", "New"], unknownWhenAbsent: true)
    #expect(chosen.attributes == ["B", "New"])
    #expect(chosen.labels == [-1, 0, 1, 0, -1, 0, 0, 0])
    #expect(try data.selecting(["Smile"], columns: ["Smile": "A"]).labels == [1, 0, -1, 1])
    #expect(throws: BLANError.self) { try data.selecting(["New"]) }
    #expect(throws: BLANError.self) { try data.selecting(["A", "A"]) }
  }

  @Test func heldOutPartsAreDisjointAndRepeatable() throws {
    let (training, validation) = try data.split(validationShare: 0.25, seed: 7)
    #expect(Set(training.paths).union(validation.paths) == ["p", "q", "r", "s"])
    #expect(validation.count == 1)
    #expect(try data.split(validationShare: 0.25, seed: 7).validation.paths == validation.paths)
    let others = try Set((0..<20).map { try data.split(validationShare: 0.25, seed: $0).validation.paths })
    #expect(others.count > 1)
    #expect(throws: BLANError.self) { try data.split(validationShare: 1, seed: 7) }
  }

  @Test func theFingerprintIsThatOfNamesAndLabels() throws {
    func fingerprint(_ source: String, _ paths: [String], _ labels: [Int8] = [1, -1]) throws -> UInt64 {
      try Dataset(source: source, attributes: ["A"], paths: paths, labels: labels).fingerprint
    }
    let first = try fingerprint("/a/faces", ["/a/faces/p/1.jpg", "/a/faces/p/2.jpg"])
    #expect(try fingerprint("/b/c", ["/b/c/p/1.jpg", "/b/c/p/2.jpg"]) == first)
    #expect(try fingerprint("./faces", ["./faces/p/1.jpg", "./faces/p/2.jpg"]) == first)
    #expect(try fingerprint("faces/", ["faces//p/1.jpg", "faces//p/2.jpg"]) == first)
    #expect(try fingerprint("/a/faces/all.csv", ["/a/faces/p/1.jpg", "/a/faces/p/2.jpg"]) == first)
    #expect(try fingerprint("all.csv", ["./p/1.jpg", "./p/2.jpg"]) == first)
    #expect(try fingerprint("/a/faces", ["/a/faces/q/1.jpg", "/a/faces/q/2.jpg"]) != first)
    #expect(try fingerprint("/a/faces", ["/a/faces/p/1.jpg", "/elsewhere/p/2.jpg"]) != first)
    #expect(try fingerprint("/a/faces", ["/a/faces/p/1.jpg", "/a/faces/p/2.jpg"], [1, 0]) != first)
  }

  @Test func aFolderThatMovesKeepsItsFingerprint() throws {
    let folders = try (0..<2).map { _ in try TemporaryFolder() }
    for folder in folders { try folder.write("labels.csv", "path,A\na.png,1\nsub/b.png,0\n") }
    let paths = folders.map(\.path) + [folders[1].path + "/labels.csv", folders[0].path + "/"]
    let prints = try paths.map { try Dataset.open(path: $0).fingerprint }
    #expect(Set(prints).count == 1)
  }

  @Test func aModelsAttributesAreMatchedByName() throws {
    let matched = try data.matched(with: ["New", "B"])
    #expect(matched.attributes == ["New", "B"])
    #expect(matched.labels == [0, -1, 0, 1, 0, -1, 0, 0])
    let error = #expect(throws: BLANError.self) { try data.matched(with: ["a", "b"]) }
    #expect(error?.kind == .invalidArgument && error?.message.contains("none of the model's attributes: a, b") == true)
  }

  @Test func inconsistentPartsAreRefused() throws {
    #expect(throws: BLANError.self) { try Dataset(source: "x", attributes: ["A"], paths: ["p"], labels: [1, 1]) }
    #expect(throws: BLANError.self) { try Dataset(source: "x", attributes: ["A"], paths: ["p"], labels: [2]) }
    #expect(throws: BLANError.self) { try Dataset(source: "x", attributes: ["A", "A"], paths: ["p"], labels: [1, 1]) }
    #expect(throws: BLANError.self) { try Dataset(source: "x", attributes: [""], paths: ["p"], labels: [1]) }
    #expect(throws: BLANError.self) { try Dataset(source: "x", attributes: ["A"], paths: ["p\0q"], labels: [1]) }
    #expect(throws: BLANError.self) {
      try Dataset(
        source: "x", attributes: ["A"], paths: ["p"], labels: [1],
        groups: [GroupColumn(name: "g", values: [], codes: [])])
    }
  }
}

import BLANTensors
import Glibc
import Testing

@testable import BLANData

@Suite struct CelebATests {
  private let folder: TemporaryFolder
  init() throws {
    folder = try TemporaryFolder()
    try folder.makeFolder("img_align_celeba")
  }

  private func write(labels: String, partition: String? = nil) throws {
    try folder.write(CelebA.labelFile, labels)
    if let partition { try folder.write(CelebA.partitionFile, partition) }
  }

  @Test func tableAndPartition() throws {
    try write(
      labels: "3\nA B \n1.jpg  1 -1\n2.jpg -1  1\n3.jpg  0  1\n", partition: "3.jpg 2\n1.jpg 0\n2.jpg 1\n")
    let all = try Dataset.open(path: folder.path)
    #expect(all.attributes == ["A", "B"])
    #expect(all.labels == [1, -1, -1, 1, 0, 1])
    #expect(all.paths[0] == "\(folder.path)/img_align_celeba/1.jpg")
    #expect(try Dataset.open(path: folder.path, split: .train).labels == [1, -1])
    #expect(try Dataset.open(path: folder.path, split: .validation).labels == [-1, 1])
    #expect(try Dataset.open(path: folder.path, split: .test, attributes: ["B"]).labels == [1])
  }

  @Test func theSubfolderThatTorchvisionMakes() throws {
    let outer = try TemporaryFolder()
    try outer.makeFolder("celeba/img_align_celeba")
    try outer.write("celeba/" + CelebA.labelFile, "1\nA\n1.jpg 1\n")
    #expect(try Dataset.open(path: outer.path).paths == ["\(outer.path)/celeba/img_align_celeba/1.jpg"])
  }

  @Test(
    arguments: [
      ("", "line 1"), ("x\nA\n", "line 1: \"x\""), ("1\n", "line 2: 0 names"), ("1\nA A\n1.jpg 1 1\n", "appears twice"),
      ("1\nA\n1.jpg 2\n", "line 3, column A: \"2\""), ("1\nA\n1.jpg\n", "line 3"), ("1\nA\n1.jpg 1 1\n", "line 3"),
      ("2\nA\n1.jpg 1\n", "announces 2 rows"), ("2\nA\n1.jpg 1\n1.jpg 1\n", "has a line already"),
      ("-1\nA\n", "expected the number of rows"), ("99999999999999999999\nA\n", "expected the number of rows"),
    ])
  func damagedTables(text: String, expected: String) throws {
    try write(labels: text)
    let error = #expect(throws: BLANError.self) { try Dataset.open(path: folder.path) }
    let message = try #require(error).message
    #expect(message.contains(expected) && message.contains(CelebA.labelFile), "\(message)")
  }

  @Test(arguments: ["1.jpg 3\n", "1.jpg\n", "2.jpg 0\n", "1.jpg 0\n1.jpg 0\n", "1.jpg zero\n"])
  func damagedPartitions(text: String) throws {
    try write(labels: "1\nA\n1.jpg 1\n", partition: text)
    let error = #expect(throws: BLANError.self) { try Dataset.open(path: folder.path, split: .train) }
    #expect(try #require(error).message.contains(CelebA.partitionFile))
  }

  @Test func missingPieces() throws {
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path, kind: .celebA) }
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path + "/nowhere") }
    let bare = try TemporaryFolder()
    try bare.write(CelebA.labelFile, "1\nA\n1.jpg 1\n")
    #expect(throws: BLANError.self) { try Dataset.open(path: bare.path) }
  }

  @Test(.enabled(if: RealFaces.folder != nil, RealFaces.skipped))
  func eightThousandFaces() throws {
    let path = try #require(RealFaces.folder)
    let parts = try [DatasetSplit.train, .validation, .test].map { try Dataset.open(path: path, split: $0) }
    #expect(parts.map(\.count) == [6400, 800, 800])
    #expect(parts[0].attributes.count == 40)
    #expect(parts[0].attributes[31] == "Smiling")
    #expect(parts[0].paths[0].hasSuffix("/img_align_celeba/000001.jpg"))
    #expect(parts[0].labels(of: 0)[31] == 1)
    #expect(Set(parts.flatMap(\.paths)).count == 8000)
  }
}

/// The CelebA images that tests may read: $BLAN_CELEBA, or ../shared/data/celeba-8k beside the repository.
enum RealFaces {
  static let skipped: Comment = "no CelebA images: set BLAN_CELEBA to the folder that holds list_attr_celeba.txt"

  static let folder: String? = {
    let repository = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    let places = [getenv("BLAN_CELEBA").map { String(cString: $0) }, repository + "/../shared/data/celeba-8k"]
    return places.compactMap { $0 }.first { CelebA.root(of: $0) != nil }
  }()
}

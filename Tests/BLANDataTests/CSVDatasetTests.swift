import BLANTensors
import Testing

@testable import BLANData

@Suite struct CSVDatasetTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func open(_ text: String, split: DatasetSplit = .all, attributes: [String]? = nil) throws -> Dataset {
    try folder.write("faces.csv", text)
    return try Dataset.open(path: folder.path + "/faces.csv", split: split, attributes: attributes)
  }

  /// The error's message, and its kind checked.
  private func failure(_ text: String, split: DatasetSplit = .all, attributes: [String]? = nil) throws -> String {
    let error = #expect(throws: BLANError.self) { try open(text, split: split, attributes: attributes) }
    return try #require(error).message
  }

  @Test func zeroesAndOnesWithBlanks() throws {
    let data = try open("path,Smiling,Hat\na.png,1,0\nsub/b.png,,1\n/abs/c.png,0, 1.0 \n")
    #expect(data.attributes == ["Smiling", "Hat"])
    #expect(data.labels == [1, -1, 0, 1, -1, 1])
    #expect(data.paths == ["\(folder.path)/a.png", "\(folder.path)/sub/b.png", "/abs/c.png"])
    #expect(data.groups.isEmpty)
  }

  @Test func signedLabelsHaveZeroForUnknown() throws {
    #expect(try open("path,A\na,1\nb,-1\nc,0\nd,+1\n").labels == [1, -1, 0, 1])
  }

  @Test func conventionsMayNotMix() throws {
    #expect(try failure("path,A,B\na,1,0\nb,-1,1\n").contains("column A says -1"))
    #expect(try open("path,A,B\na,1,1\nb,-1,1\n").labels == [1, 1, -1, 1])
  }

  @Test func quotesByteOrderMarksAndLineEnds() throws {
    let data = try open("\u{feff}path,\"Big, \"\"bold\"\" nose\"\r\n\r\n\"a,\nb.png\",1\r\nc.png,0")
    #expect(data.attributes == ["Big, \"bold\" nose"])
    #expect(data.paths == ["\(folder.path)/a,\nb.png", "\(folder.path)/c.png"])
    #expect(data.labels == [1, -1])
  }

  @Test func splitsAndGroups() throws {
    let text = "path,split,A,age\na,train,1,old\nb,val,0,\nc,2,1,young\nd,TEST,0,old\n"
    let test = try open(text, split: .test)
    #expect(test.paths.map { $0.last } == ["c", "d"])
    #expect(test.labels == [1, -1])
    #expect(test.groups.map(\.name) == ["age"])
    #expect((0..<2).map { test.groups[0].value(of: $0) } == ["young", "old"])
    #expect(try open(text, split: .validation).groups[0].value(of: 0) == nil)
    #expect(try open(text).count == 4)
    #expect(try failure("path,A\na,1\n", split: .train).contains("no column \"split\""))
    #expect(try failure("path,A,split\na,1,later\n").contains("expected train, validation or test"))
  }

  @Test func attributesAreChosenByName() throws {
    let text = "path,A,B,C\na,1,0,x\nb,0,1,y\n"
    let data = try open(text, attributes: ["B", "A"])
    #expect(data.attributes == ["B", "A"])
    #expect(data.labels == [-1, 1, 1, -1])
    #expect(data.groups.map(\.name) == ["C"])
    #expect(try failure(text, attributes: ["D"]).contains("no column \"D\"; the columns are path, A, B, C"))
    #expect(try failure(text, attributes: ["C"]).contains("line 2, column C: \"x\"; expected a label"))
  }

  @Test(
    arguments: [
      ("", "is empty"), ("name,A\nx,1\n", "no column \"path\""), ("path,A,A\n", "appears twice"),
      ("path,A\na,1,2\n", "line 2: 3 fields; expected 2"), ("path,A\na\n", "line 2: 1 fields"),
      ("path,A\na,1\nb,yes\n", "line 3, column A: \"yes\""), ("path,A\na,1\na,0\n", "has a row already, on line 2"),
      ("path,A\n,1\n", "expected the path of an image"), ("path,A\n\"a,1\n", "never closed"),
      ("path,A\n\"a\"b,1\n", "text after the closing quote"), ("path,A\na\"b,1\n", "a quote inside"),
      ("path,A\n", "has no images"),
    ])
  func damageIsNamed(text: String, expected: String) throws {
    let message = try failure(text)
    #expect(message.contains(expected), "\(message)")
    #expect(message.contains("faces.csv"))
  }

  @Test func textThatIsNotUTF8() throws {
    try folder.write("bad.csv", Array("path,A\n".utf8) + [0xff, 0xfe, 0x2c, 0x31, 0x0a])
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path + "/bad.csv") }
  }

  @Test func aFolderWithOneTableIsOpened() throws {
    try folder.write("faces.csv", "path,A\na,1\n")
    #expect(try Dataset.open(path: folder.path).count == 1)
    try folder.write("more.csv", "path,A\na,1\n")
    #expect(throws: BLANError.self) { try Dataset.open(path: folder.path) }
  }
}

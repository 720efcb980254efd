import BLANTensors

/// CelebA as torchvision lays it out: `list_attr_celeba.txt`, `list_eval_partition.txt` and the folder
/// `img_align_celeba`, in the folder itself or in its subfolder `celeba`.
enum CelebA {
  static let labelFile = "list_attr_celeba.txt"
  static let partitionFile = "list_eval_partition.txt"
  static let imageFolder = "img_align_celeba"

  /// The folder that holds the label file; nil where there is none.
  static func root(of path: String) -> String? {
    [path, path + "/celeba"].first { FileSystem.isFile($0 + "/" + labelFile) }
  }

  static func open(_ path: String, split: DatasetSplit) throws -> Dataset {
    guard let root = root(of: path) else {
      throw BLANError.io("\(path) holds no \(labelFile); expected CelebA as torchvision lays it out")
    }
    let images = root + "/" + imageFolder
    guard FileSystem.isFolder(images) else {
      throw BLANError.io("\(images) is not a folder; expected CelebA's aligned images there")
    }
    let table = try LabelTable(path: root + "/" + labelFile)
    var items = Array(table.names.indices)
    if split != .all {
      let parts = try readPartition(root + "/" + partitionFile)
      items = try items.filter { item in
        guard let part = parts[table.names[item]] else {
          throw BLANError.format("\(root)/\(partitionFile) has no line for \(excerpt(table.names[item]))")
        }
        return part == split
      }
    }
    return try Dataset(
      source: path, attributes: table.attributes, paths: items.map { images + "/" + table.names[$0] },
      labels: items.flatMap { table.labels[$0 * table.attributes.count..<($0 + 1) * table.attributes.count] })
  }

  /// Lines of `NAME 0|1|2`.
  private static func readPartition(_ path: String) throws -> [String: DatasetSplit] {
    try FileContent(path: path).withBytes { bytes in
      var parts: [String: DatasetSplit] = [:]
      var lines = LineReader(bytes)
      while let line = lines.next() {
        let words = splitWords(line)
        if words.isEmpty { continue }
        guard words.count == 2, let name = text(words[0]), let number = text(words[1]).flatMap({ Int32($0) }),
          (0...2).contains(number), let part = DatasetSplit(rawValue: number)
        else {
          throw BLANError.format(
            "\(path), line \(lines.number): \"\(excerpt(line))\"; expected a file name and 0, 1 or 2")
        }
        guard parts.updateValue(part, forKey: name) == nil else {
          throw BLANError.format("\(path), line \(lines.number): \(excerpt(name)) has a line already")
        }
      }
      return parts
    }
  }
}

/// CelebA's label file: the number of rows, the attributes' names, then rows of `NAME` and 1, -1 or 0 (unknown) for
/// each.
struct LabelTable {
  let attributes: [String]
  let names: [String]
  /// names x attributes.
  let labels: [Int8]

  init(path: String) throws {
    (attributes, names, labels) = try FileContent(path: path).withBytes { bytes in
      var lines = LineReader(bytes)
      let announced = try Self.rowCount(lines.next(), path)
      let attributes = try Self.attributes(lines.next(), path)
      var names: [String] = []
      var seen: Set<String> = []
      var labels: [Int8] = []
      while let line = lines.next() {
        let words = splitWords(line)
        guard let first = words.first else { continue }
        let place = "\(path), line \(lines.number)"
        guard words.count == attributes.count + 1 else {
          throw BLANError.format(
            "\(place): \(words.count) words; expected a file name and \(attributes.count) labels")
        }
        guard let name = text(first) else {
          throw BLANError.format("\(place): the file name \"\(excerpt(first))\" is not UTF-8")
        }
        guard seen.insert(name).inserted else {
          throw BLANError.format("\(place): \(excerpt(name)) has a line already")
        }
        names.append(name)
        for (column, word) in words.dropFirst().enumerated() {
          guard let label = labelNumber(word) else {
            throw BLANError.format(
              "\(place), column \(attributes[column]): \"\(excerpt(word))\"; expected 1, -1 or 0 (unknown)")
          }
          labels.append(label)
        }
      }
      guard names.count == announced else {
        throw BLANError.format("\(path) announces \(announced) rows on line 1 and has \(names.count)")
      }
      return (attributes, names, labels)
    }
  }

  private static func rowCount(_ line: UnsafeRawBufferPointer?, _ path: String) throws -> Int {
    let words = line.map { splitWords($0) } ?? []
    guard words.count == 1, let count = text(words[0]).flatMap({ Int($0) }), count >= 0 else {
      throw BLANError.format("\(path), line 1: \"\(line.map { excerpt($0) } ?? "")\"; expected the number of rows")
    }
    return count
  }

  private static func attributes(_ line: UnsafeRawBufferPointer?, _ path: String) throws -> [String] {
    let words = line.map { splitWords($0) } ?? []
    guard !words.isEmpty, words.count <= Dataset.mostAttributes else {
      throw BLANError.format(
        "\(path), line 2: \(words.count) names; expected those of 1 to \(Dataset.mostAttributes) attributes")
    }
    let names = try words.map { word in
      guard let name = text(word) else {
        throw BLANError.format("\(path), line 2: the name \"\(excerpt(word))\" is not UTF-8")
      }
      return name
    }
    if let name = names.firstDuplicate() {
      throw BLANError.format("\(path), line 2: the attribute \(excerpt(name)) appears twice")
    }
    return names
  }
}

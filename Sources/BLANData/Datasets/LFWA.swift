import BLANTensors

/// LFWA: photos in person folders, `Person/Person_0001.jpg`, and a label file.
///
/// The photos may lie in the folder itself or in one of its subfolders (`lfw`, `lfw-deepfunneled`, any other).
enum LFWA {
  /// Names of the label file, the first that is there.
  static let labelFiles = ["lfw_att_40.mat", "lfw_att_40.txt"]
  /// The official protocol: `indices_img_train` and `indices_img_test`, which count from 1.
  static let protocolFile = "indices_train_test.mat"

  static func isLabelFile(_ path: String) -> Bool {
    path.hasSuffix(".mat") || labelFiles.contains { path == $0 || path.hasSuffix("/" + $0) }
  }

  static func labelFile(in folder: String) -> String? {
    labelFiles.map { folder + "/" + $0 }.first(where: FileSystem.isFile)
  }

  /// The one file in a folder that a label file can be, whatever its name: a `.mat`, or without any a `.txt`.
  private static func onlyCandidate(in folder: String) throws -> String? {
    let names = try FileSystem.names(in: folder).filter { $0 != protocolFile }
    let ofKind = [".mat", ".txt"].map { ending in names.filter { $0.hasSuffix(ending) } }.first { !$0.isEmpty } ?? []
    return ofKind.count == 1 ? folder + "/" + ofKind[0] : nil
  }

  /// - Parameter path: the folder, or the label file in it.
  static func open(_ path: String, split: DatasetSplit, protocol: LFWAProtocol) throws -> Dataset {
    let isFile = FileSystem.isFile(path)
    let folder = isFile ? FileSystem.folder(of: path) : path
    guard let file = isFile ? path : try labelFile(in: folder) ?? onlyCandidate(in: folder) else {
      throw BLANError.io("\(path) holds neither \(labelFiles.joined(separator: " nor ")), nor one other table alone")
    }
    let table = try LFWALabels(path: file)
    let names = try table.names ?? imageNames(folder, count: table.rowCount, file)
    let root = try imageRoot(folder, names)
    let items = try part(split, `protocol`, names, protocolFile: folder + "/" + protocolFile)
    let columns = table.attributes.count
    return try Dataset(
      source: path, attributes: table.attributes, paths: items.map { root + "/" + names[$0] },
      labels: items.flatMap { table.labels[$0 * columns..<($0 + 1) * columns] })
  }

  // MARK: - Images

  /// The images of a table that does not name them: all of the folder's, in the order of persons and numbers.
  private static func imageNames(_ folder: String, count: Int, _ file: String) throws -> [String] {
    var found: [Int] = []
    for root in try roots(folder) {
      let names = try FileSystem.names(in: root).filter { FileSystem.isFolder(root + "/" + $0) }.flatMap { person in
        try FileSystem.names(in: root + "/" + person).filter(isImage).map { person + "/" + $0 }
      }
      if names.count == count { return names }
      found.append(names.count)
    }
    throw BLANError.format(
      "\(file) has \(count) rows without image names; \(folder) has \(found.max() ?? 0) images in person folders")
  }

  /// The folder that holds the person folders: the one where the first image lies.
  private static func imageRoot(_ folder: String, _ names: [String]) throws -> String {
    guard let first = names.first else { return folder }
    guard let root = try roots(folder).first(where: { FileSystem.isFile($0 + "/" + first) }) else {
      throw BLANError.io("\(folder) has no image \(excerpt(first)), neither in itself nor in its subfolders")
    }
    return root
  }

  private static func roots(_ folder: String) throws -> [String] {
    try [folder] + FileSystem.names(in: folder).map { folder + "/" + $0 }.filter(FileSystem.isFolder)
  }

  private static func isImage(_ name: String) -> Bool {
    let name = name.lowercased()
    return [".jpg", ".jpeg", ".png"].contains { name.hasSuffix($0) }
  }

  // MARK: - Protocols

  private static func part(
    _ split: DatasetSplit, _ protocol: LFWAProtocol, _ names: [String], protocolFile: String
  ) throws -> [Int] {
    switch (`protocol`, split) {
    case (_, .all): return Array(names.indices)
    case (.halves, .validation):
      throw BLANError.invalidArgument(
        "LFWA's protocol of halves has no validation part; expected train or test, or the protocol of 80 and 10 %")
    case (.halves, _) where FileSystem.isFile(protocolFile):
      return try officialPart(split, protocolFile, count: names.count)
    case (.halves, .train): return drawn(names, from: 0, to: 0.5)
    case (.halves, .test): return drawn(names, from: 0.5, to: 1)
    case (.eightyTen, .train): return drawn(names, from: 0, to: 0.8)
    case (.eightyTen, .validation): return drawn(names, from: 0.8, to: 0.9)
    case (.eightyTen, .test): return drawn(names, from: 0.9, to: 1)
    }
  }

  private static func officialPart(_ split: DatasetSplit, _ path: String, count: Int) throws -> [Int] {
    let variables = try MATFile(path: path).variables
    let key = split == .train ? "indices_img_train" : "indices_img_test"
    guard case .numbers(_, _, let numbers) = variables[key] else {
      throw BLANError.format("\(path) has no numbers \(key); its variables are \(listing(variables.keys.sorted()))")
    }
    var seen: Set<Int> = []
    return try numbers.map { number in
      guard let index = Int(exactly: number), (1...count).contains(index), seen.insert(index).inserted else {
        throw BLANError.format("\(path), \(key): \(number); expected distinct numbers from 1 to \(count)")
      }
      return index - 1
    }
  }

  /// The items of the persons between two shares of the images, in the data's order. The persons are shuffled by a seed
  /// that never changes, so the parts are the same everywhere.
  private static func drawn(_ names: [String], from low: Double, to high: Double) -> [Int] {
    let itemsOfPerson = Dictionary(grouping: names.indices) { FileSystem.folder(of: names[$0]) }
    let persons = itemsOfPerson.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var items: [Int] = []
    var passed = 0
    for place in EpochOrder.shuffled(count: persons.count, seed: 0, key: "lfwa") {
      let own = itemsOfPerson[persons[place]] ?? []
      let middle = (Double(passed) + Double(own.count) / 2) / Double(names.count)
      if middle >= low && middle < high { items += own }
      passed += own.count
    }
    return items.sorted()
  }
}

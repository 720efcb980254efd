import BLANTensors

extension Dataset {
  /// More label columns than this are taken for a damaged file.
  static let mostAttributes = 4096

  /// Opens a data set.
  ///
  /// - Parameters:
  ///   - path: a folder (CelebA, LFWA, or one that holds a single `.csv` file), a CSV file, or LFWA's label file.
  ///   - split: the part wanted. CSV needs a `split` column for any but `.all`.
  ///   - attributes: those wanted, by name and in order; nil for all.
  ///   - protocol: how LFWA is divided; of no consequence to others.
  /// - Throws: `BLANError.io`, `.format` (file, line, column and what was expected there), `.invalidArgument` (an
  ///   attribute or a part that the data lack), `.outOfMemory`.
  public static func open(
    path: String, kind: DatasetKind = .automatic, split: DatasetSplit = .all, attributes: [String]? = nil,
    protocol: LFWAProtocol = .halves
  ) throws -> Dataset {
    let whole: Dataset
    switch kind == .automatic ? try recognise(path) : kind {
    case .celebA: whole = try CelebA.open(path, split: split)
    case .csv: whole = try CSVDataset.open(path, split: split, attributes: attributes)
    case .lfwa: whole = try LFWA.open(path, split: split, protocol: `protocol`)
    case .automatic: throw BLANError.internal("\(path): its kind was not recognised")
    }
    guard whole.count > 0 else {
      throw BLANError.invalidArgument("\(path) has no images in its part \"\(split.name)\"")
    }
    return try attributes.map { try whole.selecting($0) } ?? whole
  }

  private static func recognise(_ path: String) throws -> DatasetKind {
    if FileSystem.isFile(path) { return LFWA.isLabelFile(path) ? .lfwa : .csv }
    guard FileSystem.isFolder(path) else { throw BLANError.io("\(path) is neither a folder nor a file") }
    if CelebA.root(of: path) != nil { return .celebA }
    if LFWA.labelFile(in: path) != nil { return .lfwa }
    if try CSVDataset.table(in: path) != nil { return .csv }
    throw BLANError.format(
      "\(path) is no data set: expected \(CelebA.labelFile) (CelebA), "
        + "\(LFWA.labelFiles[0]) (LFWA) or a single .csv file in it")
  }
}

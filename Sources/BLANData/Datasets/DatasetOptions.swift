/// How a data set lies on disk.
public enum DatasetKind: Int32, Sendable, CaseIterable {
  /// What the folder or file looks like.
  case automatic = 0
  /// A folder as torchvision's `CelebA` reads it.
  case celebA = 1
  /// LFWA: a folder of person folders with a label file.
  case lfwa = 2
  /// A comma-separated table with a `path` column.
  case csv = 3
}

/// Part of a data set. Raw values are those of CelebA's partition file, and -1.
public enum DatasetSplit: Int32, Sendable, CaseIterable {
  case all = -1
  case train = 0
  case validation = 1
  case test = 2

  /// As error messages call it.
  var name: String {
    switch self {
    case .all: return "all"
    case .train: return "train"
    case .validation: return "validation"
    case .test: return "test"
    }
  }
}

/// How LFWA is divided. Nobody's photos are in two parts.
public enum LFWAProtocol: Int32, Sendable, CaseIterable {
  /// The usual one: half to train with, half to test with. From `indices_train_test.mat` where the folder has it
  /// (6,263 and 6,880 images), otherwise drawn. It has no validation part.
  case halves = 0
  /// CelebA's shares: 80 % to train with, 10 % to validate, 10 % to test; drawn.
  case eightyTen = 1
}

import BLANTensors
import Glibc

/// The folder of a run's checkpoints.
struct CheckpointFolder {
  enum Kind: String {
    case last = "last.safetensors"
    case best = "best.safetensors"
  }

  private let path: String

  /// Makes the folder where it is missing (its parent must exist), and removes what a killed process left half-written;
  /// the process that `writes` does.
  init(_ path: String, writes: Bool) throws {
    self.path = path
    guard writes else { return }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw BLANError.io("cannot make the folder \(path): \(systemError())")
    }
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw BLANError.io("\(path) is no folder; expected one for checkpoints")
    }
    for kind in [Kind.last, .best] { AtomicFile.removeLeftovers(of: path + "/" + kind.rawValue) }
  }

  func save(_ trainer: Trainer, as kind: Kind) throws { try trainer.save(to: path + "/" + kind.rawValue) }
}

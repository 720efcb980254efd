import BLANData
import BLANTensors

/// How ``Trainer/fit(train:validation:options:progress:)`` goes through the data; see `blan_fit_options` in
/// `include/blan.h`.
public struct FitOptions: Sendable {
  public var epochs = 14
  /// Of all processes.
  public var batch = 64
  public var augmentation = Augmentation(mirror: true)
  /// Threads that read images; 0 for ``ThreadBudget/automatic()``.
  public var workers = 0
  /// Memory for decoded images, in bytes.
  public var cacheBytes = 2 << 30
  /// Whether images that cannot be read are left out instead of ending the run.
  public var skipsUnreadable = false
  /// Folder for `last.safetensors` and `best.safetensors`; nil for none.
  public var checkpoints: String?
  /// Batches between saves of `last.safetensors`; 0 for once an epoch.
  public var checkpointSteps = 0
  /// Epochs without a better validation after which the run ends; 0 for never.
  public var patience = 0

  /// Epochs that a run may have.
  static let epochCounts = 1...1_000_000

  public init() {}

  func validate() throws {
    guard Self.epochCounts.contains(epochs) else {
      throw BLANError.invalidArgument("epochs is \(epochs); expected 1 to \(Self.epochCounts.upperBound)")
    }
    guard checkpointSteps >= 0, patience >= 0 else {
      throw BLANError.invalidArgument(
        "checkpoint_steps is \(checkpointSteps) and patience \(patience); expected numbers from 0")
    }
  }
}

/// Where ``Trainer/fit(train:validation:options:progress:)`` stands; see `blan_progress` in `include/blan.h`.
public struct TrainingProgress: Sendable {
  public enum Event: Int32, Sendable {
    case step = 0
    case validation = 1
    case epoch = 2
    case skipped = 3
  }

  public var event: Event
  /// From 1.
  public var epoch: Int
  public var epochs: Int
  /// Batches done, over all epochs.
  public var step: Int
  public var steps: Int
  /// `step`: of the batch; `epoch`: their mean over the epoch's images.
  public var losses = Losses()
  public var learningRate = 0.0
  public var gradientNorm = 0.0
  public var imagesPerSecond = 0.0
  public var secondsLeft = 0.0
  public var validation: ValidationResult?
  public var bestAccuracy: Double?
  public var bestEpoch = 0
  public var validated = 0
  public var validationCount = 0
  public var skipped = 0
  public var message: String?
}

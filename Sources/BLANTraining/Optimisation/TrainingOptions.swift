import BLANTensors
import Glibc

/// How the learning rate moves over a run.
public enum LearningRateSchedule: Int32, Sendable, Codable, CaseIterable {
  /// The paper's: straight down to the final rate.
  case linear = 0
  /// Half a cosine down to the final rate.
  case cosine = 1
  case constant = 2

  /// The rate of an optimiser step as a share of the first rate.
  ///
  /// - Parameters:
  ///   - step: from 0.
  ///   - total: steps of the run; 0 when unknown, which leaves the rate where it is.
  ///   - warmup: steps over which the rate rises to its first value.
  ///   - final: share at the end of the run.
  func factor(step: Int, total: Int, warmup: Int, final: Float) -> Float {
    if step < warmup { return Float(step + 1) / Float(warmup + 1) }
    guard total > warmup else { return 1 }
    let progress = min(Float(step - warmup) / Float(total - warmup), 1)
    switch self {
    case .linear: return 1 - (1 - final) * progress
    case .cosine: return final + (1 - final) * (1 + cosine(of: progress)) / 2
    case .constant: return 1
    }
  }

  private func cosine(of progress: Float) -> Float { Float(cos(Double(progress) * .pi)) }
}

/// Which statistics batch norms normalise with.
public enum StatisticsMode: Int32, Sendable, Codable, CaseIterable {
  /// `frozen` for fine-tuning with batches of fewer than 16 images, else `batch`.
  case automatic = 0
  case batch = 1
  case frozen = 2

  /// Batches of fewer images have statistics too uncertain to fine-tune with.
  static let smallestReliableBatch = 16
}

/// What is trained and how; the defaults are the paper's (section 4.2). See `blan_train_options` in `include/blan.h`.
public struct TrainingOptions: Sendable, Codable, Equatable {
  /// Of new weights, dropout, order and augmentation.
  public var seed: UInt64 = 0
  /// Weight of LMIM in Eq. 8.
  public var alpha: Float = 0.1
  /// Weight of the reconstruction.
  public var beta: Float = 0.1
  /// Weight of score fusion.
  public var gamma: Float = 1
  /// Of T_i.
  public var dropout: Float = 0.5
  /// Share of each label that goes to its opposite.
  public var labelSmoothing: Float = 0
  /// Factor of the loss of present labels of each attribute; nil for 1.
  public var positiveWeights: [Float]?
  /// Adam's.
  public var learningRate: Float = 1e-3
  /// SGD's, for the score-fusion matrix.
  public var fusionLearningRate: Float = 1e-4
  /// Double: as a float 1 - 0.999 would be off by 1.3e-5 of itself.
  public var beta1 = 0.9
  public var beta2 = 0.999
  public var epsilon: Float = 1e-8
  /// AdamW's, of convolution and linear weights.
  public var weightDecay: Float = 0
  /// Largest norm of the gradient; 0 for no limit.
  public var clipNorm: Float = 0
  /// Of the moving average of weights; 0 for none.
  public var averageDecay: Float = 0
  public var schedule = LearningRateSchedule.linear
  /// Learning rate at the end, as a share of the first.
  public var finalRate: Float = 0.1
  public var warmupSteps = 0
  /// Length of the schedule in optimiser steps; 0 leaves it to ``Trainer/fit(train:validation:options:progress:)``.
  public var totalSteps = 0
  /// Batches whose gradients are averaged for one optimiser step.
  public var accumulate = 1
  /// Prefixes of tensors that stay as they are.
  public var freeze: [String] = []
  public var statistics = StatisticsMode.automatic

  /// More steps than this no training has: sums of such numbers do not overflow.
  static let mostSteps = 1 << 53

  public init() {}

  var lossWeights: LossWeights {
    LossWeights(
      alpha: alpha, beta: beta, gamma: gamma, labelSmoothing: labelSmoothing, positiveWeights: positiveWeights)
  }

  /// - Throws: `BLANError.invalidArgument`, naming the option, its value and its range.
  func validate(attributes: Int) throws {
    try Self.check("alpha", alpha, alpha >= 0, "a finite number from 0")
    try Self.check("beta", beta, beta >= 0, "a finite number from 0")
    try Self.check("gamma", gamma, gamma >= 0, "a finite number from 0")
    try Self.check("dropout", dropout, dropout >= 0 && dropout < 1, "0 to below 1")
    try Self.check("label_smoothing", labelSmoothing, labelSmoothing >= 0 && labelSmoothing < 0.5, "0 to below 0.5")
    try Self.check("learning_rate", learningRate, learningRate >= 0, "a finite number from 0")
    try Self.check("fusion_learning_rate", fusionLearningRate, fusionLearningRate >= 0, "a finite number from 0")
    try Self.check("beta1", Float(beta1), beta1 >= 0 && beta1 < 1, "0 to below 1")
    try Self.check("beta2", Float(beta2), beta2 >= 0 && beta2 < 1, "0 to below 1")
    try Self.check("epsilon", epsilon, epsilon > 0, "a finite number above 0")
    try Self.check("weight_decay", weightDecay, weightDecay >= 0, "a finite number from 0")
    try Self.check("clip_norm", clipNorm, clipNorm >= 0, "a finite number from 0")
    try Self.check("average_decay", averageDecay, averageDecay >= 0 && averageDecay < 1, "0 to below 1")
    try Self.check("final_rate", finalRate, finalRate >= 0 && finalRate <= 1, "0 to 1")
    let steps = 0...Self.mostSteps
    guard steps.contains(warmupSteps), steps.contains(totalSteps) else {
      throw BLANError.invalidArgument(
        "warmup_steps is \(warmupSteps) and total_steps \(totalSteps); expected numbers from 0 to \(Self.mostSteps)")
    }
    guard (1...65_536).contains(accumulate) else {
      throw BLANError.invalidArgument("accumulate is \(accumulate); expected 1 to 65536")
    }
    if let positiveWeights {
      guard positiveWeights.count == attributes else {
        throw BLANError.shape("there are \(positiveWeights.count) positive_weights; expected \(attributes)")
      }
      if let index = positiveWeights.firstIndex(where: { !($0.isFinite && $0 >= 0) }) {
        throw BLANError.invalidArgument(
          "positive_weights[\(index)] is \(positiveWeights[index]); expected a finite number from 0")
      }
    }
  }

  private static func check(_ name: String, _ value: Float, _ holds: Bool, _ range: String) throws {
    guard holds, value.isFinite else { throw BLANError.invalidArgument("\(name) is \(value); expected \(range)") }
  }
}

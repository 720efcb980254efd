import BLANData
import BLANNetwork
import BLANTensors
import BLANTraining
import BLANWeights
import CBLAN

extension blan_train_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, start: nil, network: nil, encoder: nil, attributes: nil,
      attribute_count: 0, threads: 0, seed: 0, alpha: 0.1, beta: 0.1, gamma: 1, dropout: 0.5, label_smoothing: 0,
      positive_weights: nil, learning_rate: 1e-3, fusion_learning_rate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8,
      weight_decay: 0, clip_norm: 0, average_decay: 0, schedule: blan_schedule(BLAN_SCHEDULE_LINEAR), final_rate: 0.1,
      warmup_steps: 0, total_steps: 0, accumulate: 1, freeze: nil,
      statistics: blan_statistics(BLAN_STATISTICS_AUTOMATIC), allreduce: nil, allreduce_user: nil,
      rank: 0, world_size: 1, synchronised_batch_norm: true)
  }

  /// - Parameter attributes: of the network, as many as `positive_weights` has.
  func training(attributes: Int) throws -> TrainingOptions {
    var training = TrainingOptions()
    training.seed = seed
    training.alpha = alpha
    training.beta = beta
    training.gamma = gamma
    training.dropout = dropout
    training.labelSmoothing = label_smoothing
    training.positiveWeights = positive_weights.map { Array(UnsafeBufferPointer(start: $0, count: attributes)) }
    training.learningRate = learning_rate
    training.fusionLearningRate = fusion_learning_rate
    training.beta1 = Self.decimal(beta1)
    training.beta2 = Self.decimal(beta2)
    training.epsilon = epsilon
    training.weightDecay = weight_decay
    training.clipNorm = clip_norm
    training.averageDecay = average_decay
    guard let schedule = LearningRateSchedule(rawValue: schedule) else {
      throw BLANError.invalidArgument("schedule is \(schedule); expected one of blan_schedule")
    }
    training.schedule = schedule
    training.finalRate = final_rate
    training.warmupSteps = Int(warmup_steps)
    training.totalSteps = Int(total_steps)
    training.accumulate = Int(accumulate)
    if let freeze {
      training.freeze = try text(freeze, "freeze").split(separator: ",").map { part in
        String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    }
    guard let statistics = StatisticsMode(rawValue: statistics) else {
      throw BLANError.invalidArgument("statistics is \(statistics); expected one of blan_statistics")
    }
    training.statistics = statistics
    return training
  }

  /// The other processes; nil where there are none.
  func communicator() throws -> Communicator? {
    guard let allreduce else {
      guard rank == 0, world_size == 1 else {
        throw BLANError.invalidArgument("world_size is \(world_size) and rank \(rank), but allreduce is NULL")
      }
      return nil
    }
    let user = AllreduceUser(pointer: allreduce_user)
    let group = try ProcessGroup(
      rank: Int(rank), size: Int(world_size), synchronisesBatchNorm: synchronised_batch_norm
    ) { values, count in
      allreduce(values, count, user.pointer)
    }
    return group.size == 1 ? nil : try Communicator(group)
  }

  /// The number that a caller wrote: 0.999f stands for 0.999, not for the float nearest to it.
  private static func decimal(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }
}

/// The caller's pointer. The header says on which thread it is used.
private struct AllreduceUser: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer?
}

extension blan_fit_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, epochs: 14, batch: 64, mirror: true, shift: 0, zoom: 0, rotation: 0,
      brightness: 0, contrast: 0, saturation: 0, cutout: 0, workers: 0, cache_bytes: 2 << 30, skip_unreadable: false,
      checkpoints: nil, checkpoint_steps: 0, patience: 0, progress: nil, user: nil)
  }

  func fitting() throws -> FitOptions {
    var fitting = FitOptions()
    fitting.epochs = Int(epochs)
    fitting.batch = Int(batch)
    fitting.augmentation = Augmentation(
      shift: Double(shift), zoom: Double(zoom), rotation: Double(rotation), brightness: Double(brightness),
      contrast: Double(contrast), saturation: Double(saturation), mirror: mirror, cutout: Double(cutout))
    fitting.workers = Int(workers)
    fitting.cacheBytes = Int(clamping: cache_bytes)
    fitting.skipsUnreadable = skip_unreadable
    fitting.checkpoints = try checkpoints.map { try path($0, "checkpoints") }
    fitting.checkpointSteps = Int(checkpoint_steps)
    fitting.patience = Int(patience)
    return fitting
  }
}

extension blan_export_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, storage: blan_storage(BLAN_STORAGE_F32), training_heads: false,
      raw_weights: false)
  }

  func elementType() throws -> ElementType {
    switch Int(storage) {
    case Int(BLAN_STORAGE_F32): return .float32
    case Int(BLAN_STORAGE_F16): return .float16
    case Int(BLAN_STORAGE_BF16): return .bfloat16
    default: throw BLANError.invalidArgument("storage is \(storage); expected one of blan_storage")
    }
  }
}

extension blan_losses {
  init(_ losses: Losses) {
    let cls = losses.classification
    let lmim = losses.mutualInformation
    self.init(
      cls: (cls[0], cls[1], cls[2], cls[3]), lmim: (lmim[0], lmim[1], lmim[2], lmim[3]), rec: losses.reconstruction,
      sf: losses.fusion, total: losses.total)
  }
}

extension blan_progress {
  init(_ progress: TrainingProgress, message: UnsafePointer<CChar>?) {
    self.init(
      struct_size: MemoryLayout<Self>.size, event: progress.event.rawValue, epoch: Int32(clamping: progress.epoch),
      epochs: Int32(clamping: progress.epochs), step: Int64(progress.step), steps: Int64(progress.steps),
      losses: blan_losses(progress.losses), learning_rate: progress.learningRate,
      gradient_norm: progress.gradientNorm, images_per_second: progress.imagesPerSecond,
      seconds_left: progress.secondsLeft, validation_loss: progress.validation?.loss ?? .nan,
      validation_accuracy: progress.validation?.accuracy ?? .nan, best_accuracy: progress.bestAccuracy ?? .nan,
      best_epoch: Int32(clamping: progress.bestEpoch), validated: UInt64(progress.validated),
      validation_count: UInt64(progress.validationCount), skipped: UInt64(progress.skipped), message: message)
  }
}

import BLANNetwork
import BLANTensors
import BLANTraining
import BLANWeights
import CBLAN

/// `blan_trainer`: a trainer and the C strings that live as long as it.
final class TrainerHandle: Handle {
  let trainer: Trainer
  let attributes: CStringList

  init(_ trainer: Trainer) {
    self.trainer = trainer
    attributes = CStringList(trainer.configuration.attributes)
  }
}

@_cdecl("blan_trainer_create")
public func trainerCreate(
  _ options: UnsafePointer<blan_train_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let options = try blan_train_options.read(options)
    guard let communicator = try options.communicator() else {
      return TrainerHandle(try madeTrainer(options)).retained()
    }
    let trainer = try communicator.agree { try madeTrainer(options) }
    try trainer.join(communicator)
    return TrainerHandle(trainer).retained()
  }
}

private func madeTrainer(_ options: blan_train_options) throws -> Trainer {
  let attributes = try names(
    options.attributes, count: options.attribute_count, "attributes", countName: "attribute_count",
    most: Configuration.maximumAttributeCount)
  return try options.start == nil ? newTrainer(options, attributes) : startedTrainer(options, attributes)
}

private func newTrainer(_ options: blan_train_options, _ attributes: [String]?) throws -> Trainer {
  let network = try blan_network_options.read(options.network)
  guard attributes == nil else {
    throw BLANError.invalidArgument("attributes is for fine-tuning; those of a new network stand in network.attributes")
  }
  let configuration = try network.configuration()
  return try Trainer(
    new: configuration, encoder: options.encoder.map { try readablePath($0, "encoder") },
    options: options.training(attributes: configuration.attributes.count), threads: Int(options.threads))
}

private func startedTrainer(_ options: blan_train_options, _ attributes: [String]?) throws -> Trainer {
  guard options.network == nil, options.encoder == nil else {
    throw BLANError.invalidArgument("start brings a network and its encoder; network and encoder must be NULL")
  }
  let start = try readablePath(options.start, "start")
  let count = try attributes?.count ?? Trainer.attributeCount(of: start)
  return try Trainer.start(
    from: start, attributes: attributes, options: options.training(attributes: count), threads: Int(options.threads))
}

@_cdecl("blan_trainer_free")
public func trainerFree(_ trainer: OpaquePointer?) { TrainerHandle.free(trainer) }

@_cdecl("blan_trainer_step")
public func trainerStep(
  _ trainer: OpaquePointer?, _ pixels: UnsafePointer<Float>?, _ labels: UnsafePointer<Int8>?, _ batch: Int,
  _ out: UnsafeMutablePointer<blan_losses>?
) -> blan_status {
  guarded {
    let trainer = try TrainerHandle.required(trainer, "trainer").trainer
    let report = try trainer.step(
      pixels: required(pixels, "pixels"), labels: required(labels, "labels"), batch: batch)
    out?.pointee = blan_losses(report.losses)
  }
}

@_cdecl("blan_trainer_fit")
public func trainerFit(
  _ trainer: OpaquePointer?, _ train: OpaquePointer?, _ validation: OpaquePointer?,
  _ options: UnsafePointer<blan_fit_options>?
) -> blan_status {
  guarded {
    let trainer = try TrainerHandle.required(trainer, "trainer").trainer
    let train = try DatasetHandle.required(train, "train").dataset
    let options = try blan_fit_options.read(options)
    try trainer.fit(
      train: train, validation: DatasetHandle.optional(validation)?.dataset, options: options.fitting()
    ) { progress in
      guard let callback = options.progress else { return true }
      let message = progress.message.map(CString.init)
      return withExtendedLifetime(message) {
        var told = blan_progress(progress, message: message?.pointer)
        return callback(&told, options.user) == 0
      }
    }
  }
}

@_cdecl("blan_trainer_save")
public func trainerSave(_ trainer: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> blan_status {
  guarded {
    let trainer = try TrainerHandle.required(trainer, "trainer").trainer
    try trainer.save(to: BLANExports.path(path, "path"))
  }
}

@_cdecl("blan_trainer_export")
public func trainerExport(
  _ trainer: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_export_options>?
) -> blan_status {
  guarded {
    let trainer = try TrainerHandle.required(trainer, "trainer").trainer
    let options = try blan_export_options.read(options)
    try trainer.export(
      to: BLANExports.path(path, "path"), type: options.elementType(), trainingHeads: options.training_heads,
      rawWeights: options.raw_weights)
  }
}

@_cdecl("blan_trainer_attribute_count")
public func trainerAttributeCount(_ trainer: OpaquePointer?) -> Int {
  TrainerHandle.optional(trainer)?.attributes.count ?? 0
}

@_cdecl("blan_trainer_attribute_name")
public func trainerAttributeName(_ trainer: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  TrainerHandle.optional(trainer)?.attributes[index]
}

@_cdecl("blan_trainer_input_size")
public func trainerInputSize(_ trainer: OpaquePointer?) -> Int {
  TrainerHandle.optional(trainer)?.trainer.configuration.inputSize ?? 0
}

@_cdecl("blan_trainer_step_count")
public func trainerStepCount(_ trainer: OpaquePointer?) -> Int64 {
  Int64(TrainerHandle.optional(trainer)?.trainer.stepCount ?? 0)
}

@_cdecl("blan_trainer_gradient")
public func trainerGradient(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<Float>?, _ count: Int
) -> blan_status {
  guarded {
    try TrainerHandle.required(trainer, "trainer").trainer.copyGradient(
      text(name, "tensor_name"), to: required(out, "out"), count: count)
  }
}

@_cdecl("blan_trainer_parameter")
public func trainerParameter(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<Float>?, _ count: Int
) -> blan_status {
  guarded {
    try TrainerHandle.required(trainer, "trainer").trainer.copyParameter(
      text(name, "tensor_name"), to: required(out, "out"), count: count)
  }
}

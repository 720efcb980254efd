import BLANNetwork
import BLANTensors
import BLANWeights

extension Trainer {
  /// A trainer of a new network with seeded random weights.
  ///
  /// - Parameter encoder: a torchvision or timm ResNet-34 state dict for the encoder; nil for random weights there too.
  /// - Throws: `BLANError` for options out of range, an unreadable or unfit state dict, or too little memory.
  public convenience init(
    new configuration: Configuration, encoder: UnsafePointer<CChar>? = nil, options: TrainingOptions, threads: Int
  ) throws {
    let network = Network(configuration, purpose: .training)
    let seeded = SeededWeights(network, seed: options.seed)
    if let encoder {
      try self.init(
        network, source: EncoderImport(stateDict: encoder, over: seeded), options: options, threads: threads,
        state: TrainerState())
    } else {
      try self.init(network, source: seeded, options: options, threads: threads, state: TrainerState())
    }
  }

  /// A trainer that fine-tunes a model.
  ///
  /// - Parameter attributes: those wanted: heads of names that the model has are kept, others start from random weights;
  ///   nil for the model's.
  /// - Throws: as `init(new:)`.
  public convenience init(
    from model: ModelFile, attributes: [String]? = nil, options: TrainingOptions, threads: Int
  ) throws {
    var configuration = model.description.configuration
    if let attributes {
      configuration = try Configuration(
        inputSize: configuration.inputSize, width: configuration.width, attributes: attributes,
        attention: configuration.attention, variant: configuration.variant, mean: configuration.mean,
        std: configuration.std)
    }
    let network = Network(configuration, purpose: .training)
    var state = TrainerState()
    state.isFineTuning = model.description.isTrained
    try self.init(
      network, source: FineTuningWeights(model, for: network, seed: options.seed), options: options, threads: threads,
      state: state, licence: model.description.licence)
  }
}

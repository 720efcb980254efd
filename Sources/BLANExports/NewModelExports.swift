import BLANNetwork
import BLANTensors
import BLANWeights
import CBLAN

extension blan_network_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, input_size: 256, width: 64, variant: 6,
      attention: blan_attention_order(BLAN_ATTENTION_CHANNEL_SPATIAL), attributes: nil, attribute_count: 0, seed: 0)
  }

  func configuration() throws -> Configuration {
    guard let variant = Variant(rawValue: Int(variant)) else {
      throw BLANError.invalidArgument("variant is \(variant); expected 1 to 6")
    }
    let names = try names(
      attributes, count: attribute_count, "attributes", countName: "attribute_count",
      most: Configuration.maximumAttributeCount)
    return try Configuration(
      inputSize: Int(input_size), width: Int(width), attributes: names ?? Attributes.celebA, attention: order(),
      variant: variant)
  }

  private func order() throws -> AttentionOrder {
    switch Int(attention) {
    case Int(BLAN_ATTENTION_CHANNEL_SPATIAL): return .channelSpatial
    case Int(BLAN_ATTENTION_SPATIAL_CHANNEL): return .spatialChannel
    case Int(BLAN_ATTENTION_PARALLEL): return .parallel
    default: throw BLANError.invalidArgument("attention is \(attention); expected one of blan_attention_order")
    }
  }
}

@_cdecl("blan_model_init")
public func modelInit(_ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_network_options>?) -> blan_status {
  guarded {
    let path = try BLANExports.path(path, "path")
    let options = try blan_network_options.read(options)
    let description = try ModelDescription(configuration: options.configuration(), isTrained: false)
    let network = Network(description.configuration, purpose: .training)
    try ModelFile.write(
      description, from: SeededWeights(network, seed: options.seed), to: path, trainingHeads: true)
  }
}

@_cdecl("blan_import_encoder")
public func importEncoder(
  _ encoderPath: UnsafePointer<CChar>?, _ modelPath: UnsafePointer<CChar>?, _ outPath: UnsafePointer<CChar>?
) -> blan_status {
  guarded {
    let model = try ModelFile(path: readablePath(modelPath, "model_path"))
    let source = try EncoderImport(stateDict: readablePath(encoderPath, "encoder_path"), over: model)
    try ModelFile.write(
      model.description, from: source, to: path(outPath, "out_path"), trainingHeads: model.hasTrainingHeads)
  }
}

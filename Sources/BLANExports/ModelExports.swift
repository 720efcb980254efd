import BLANInference
import BLANTensors
import BLANWeights
import CBLAN

extension blan_load_options: Options {
  static var defaults: Self {
    Self(struct_size: MemoryLayout<Self>.size, threads: 0, precision: blan_precision(BLAN_PRECISION_MODEL))
  }

  /// The threads and the precision that the options ask for, once all of them are found valid; a nil precision is the
  /// model's.
  static func checked(_ options: UnsafePointer<Self>?) throws -> (threads: Int, precision: Precision?) {
    let options = try read(options)
    let precision = Precision(options.precision)
    guard precision != nil || options.precision == blan_precision(BLAN_PRECISION_MODEL) else {
      throw BLANError.unsupported("precision is \(options.precision); expected one of blan_precision")
    }
    return (try ThreadBudget.resolve(Int(options.threads)), precision)
  }
}

extension Precision {
  /// nil for BLAN_PRECISION_MODEL and for what is none.
  init?(_ precision: blan_precision) {
    guard let match = Self.allCases.first(where: { $0.c == precision }) else { return nil }
    self = match
  }

  var c: blan_precision {
    switch self {
    case .float32: return blan_precision(BLAN_PRECISION_F32)
    case .bfloat16: return blan_precision(BLAN_PRECISION_BF16)
    case .int8: return blan_precision(BLAN_PRECISION_INT8)
    }
  }
}

@_cdecl("blan_model_load")
public func modelLoad(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_load_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) { try load(ModelFile(path: readablePath(path, "path")), options) }
}

@_cdecl("blan_model_load_memory")
public func modelLoadMemory(
  _ bytes: UnsafeRawPointer?, _ length: Int, _ options: UnsafePointer<blan_load_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let bytes = try borrowed(bytes, length, "bytes")
    return try load(ModelFile(borrowing: bytes), options)
  }
}

private func load(_ file: @autoclosure () throws -> ModelFile, _ options: UnsafePointer<blan_load_options>?) throws
  -> OpaquePointer
{
  let (threads, precision) = try blan_load_options.checked(options)
  return ModelHandle(try FaceModel(file(), threads: threads, precision: precision)).retained()
}

@_cdecl("blan_model_free")
public func modelFree(_ model: OpaquePointer?) { ModelHandle.free(model) }

@_cdecl("blan_model_attribute_count")
public func modelAttributeCount(_ model: OpaquePointer?) -> Int { ModelHandle.optional(model)?.attributes.count ?? 0 }

@_cdecl("blan_model_attribute_name")
public func modelAttributeName(_ model: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  element(ModelHandle.optional(model)?.attributes, index)?.pointer
}

@_cdecl("blan_model_threshold")
public func modelThreshold(_ model: OpaquePointer?, _ index: Int) -> Float {
  element(ModelHandle.optional(model)?.model.description.thresholds, index) ?? .nan
}

@_cdecl("blan_model_input_size")
public func modelInputSize(_ model: OpaquePointer?) -> Int {
  ModelHandle.optional(model)?.model.configuration.inputSize ?? 0
}

@_cdecl("blan_model_is_trained")
public func modelIsTrained(_ model: OpaquePointer?) -> Bool {
  ModelHandle.optional(model)?.model.description.isTrained ?? false
}

@_cdecl("blan_model_config")
public func modelConfig(_ model: OpaquePointer?) -> UnsafePointer<CChar>? {
  ModelHandle.optional(model)?.configuration.pointer
}

@_cdecl("blan_model_threads")
public func modelThreads(_ model: OpaquePointer?) -> Int32 {
  Int32(clamping: ModelHandle.optional(model)?.model.predictor.threads ?? 0)
}

@_cdecl("blan_model_precision")
public func modelPrecision(_ model: OpaquePointer?) -> blan_precision {
  (ModelHandle.optional(model)?.model.predictor.precision ?? .float32).c
}

@_cdecl("blan_precision_is_native")
public func precisionIsNative(_ precision: blan_precision) -> Bool { Precision(precision)?.isNative ?? false }

@_cdecl("blan_model_embedding_size")
public func modelEmbeddingSize(_ model: OpaquePointer?) -> Int {
  ModelHandle.optional(model)?.model.predictor.embeddingSize ?? 0
}

@_cdecl("blan_model_attention_count")
public func modelAttentionCount(_ model: OpaquePointer?) -> Int {
  ModelHandle.optional(model)?.model.predictor.attentionSizes.count ?? 0
}

@_cdecl("blan_model_attention_size")
public func modelAttentionSize(_ model: OpaquePointer?, _ index: Int) -> Int {
  element(ModelHandle.optional(model)?.model.predictor.attentionSizes, index) ?? 0
}

@_cdecl("blan_model_cost_count")
public func modelCostCount(_ model: OpaquePointer?) -> Int { ModelHandle.optional(model)?.costs.count ?? 0 }

@_cdecl("blan_model_cost")
public func modelCost(_ model: OpaquePointer?, _ index: Int, _ out: UnsafeMutablePointer<blan_cost>?) -> blan_status {
  guarded {
    let out = try required(out, "out")
    let costs = try ModelHandle.required(model, "model").costs
    guard let cost = element(costs, index) else {
      throw BLANError.invalidArgument("index is \(index); the cost table has \(costs.count) rows")
    }
    out.pointee = blan_cost(
      module: cost.module.pointer, parameters: UInt64(cost.row.parameters),
      multiply_accumulates: UInt64(cost.row.multiplyAccumulates))
  }
}

@_cdecl("blan_model_profile")
public func modelProfile(
  _ model: OpaquePointer?, _ pixels: UnsafePointer<Float>?, _ batch: Int, _ onStep: blan_step_function?,
  _ user: UnsafeMutableRawPointer?
) -> blan_status {
  guarded {
    let model = try ModelHandle.required(model, "model").model
    let onStep = try required(onStep, "on_step")
    for time in try model.predictor.profile(required(pixels, "pixels"), batch: batch) {
      time.module.withCString { module in
        time.step.withCString { kernel in
          var step = blan_step(
            module: module, kernel: kernel, seconds: time.seconds, operations: time.operations, bytes: time.bytes)
          onStep(user, &step)
        }
      }
    }
  }
}

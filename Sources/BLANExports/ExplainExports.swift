import BLANImages
import BLANInference
import BLANNetwork
import BLANTensors
import BLANTraining
import BLANWeights
import CBLAN

/// `blan_explainer`.
final class ExplainerHandle: Handle, Sendable {
  let gradCAM: GradCAM

  init(_ gradCAM: GradCAM) { self.gradCAM = gradCAM }
}

extension blan_occlusion_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, patch: 0, stride: 0, fill: blan_fill(BLAN_FILL_MODEL_MEAN),
      color: (0, 0, 0), values: nil, progress: nil, user: nil)
  }

  func occlusion(size: Int) throws -> Occlusion {
    let filling: Occlusion.Fill
    switch Int(fill) {
    case BLAN_FILL_MODEL_MEAN: filling = .modelMean
    case BLAN_FILL_IMAGE_MEAN: filling = .imageMean
    case BLAN_FILL_COLOR: filling = .color([color.0, color.1, color.2])
    default: throw BLANError.invalidArgument("fill is \(fill); expected one of blan_fill")
    }
    return try Occlusion(size: size, patch: Int(patch), stride: Int(stride), fill: filling)
  }
}

extension blan_gradcam_options: Options {
  static var defaults: Self {
    Self(struct_size: MemoryLayout<Self>.size, values: nil, progress: nil, user: nil)
  }
}

/// The targets of a call: so many that no size computed from them overflows.
private func explained(_ targets: UnsafePointer<blan_explain_target>?, count: Int) throws -> [ScoreTarget] {
  guard (1...(1 << 20)).contains(count) else {
    throw BLANError.invalidArgument("count is \(UInt(bitPattern: count)); expected 1 to \(1 << 20) targets")
  }
  let targets = try required(targets, "targets")
  return (0..<count).map { ScoreTarget(attribute: targets[$0].attribute, level: Int(targets[$0].level)) }
}

/// One image as the network reads it.
private func prepared(
  _ image: UnsafePointer<blan_image>?, _ configuration: Configuration, threads: Int
) throws -> AlignedBuffer<Float> {
  let view = try ImageView(required(image, "image").pointee)
  let size = configuration.inputSize
  let pixels = try AlignedBuffer<Float>(count: 3 * size * size, purpose: "the pixels of an image")
  try Preprocessor(size: size, mean: configuration.mean, std: configuration.std)
    .prepare(view, into: pixels.pointer, scratch: ResizeScratch(), threads: threads)
  return pixels
}

@_cdecl("blan_occlusion_size")
public func occlusionSize(_ model: OpaquePointer?, _ options: UnsafePointer<blan_occlusion_options>?) -> Int {
  guard let model = ModelHandle.optional(model)?.model,
    let occlusion = try? blan_occlusion_options.read(options).occlusion(size: model.configuration.inputSize)
  else { return 0 }
  return occlusion.places.count
}

@_cdecl("blan_explain_occlusion")
public func explainOcclusion(
  _ model: OpaquePointer?, _ image: UnsafePointer<blan_image>?, _ targets: UnsafePointer<blan_explain_target>?,
  _ count: Int, _ options: UnsafePointer<blan_occlusion_options>?, _ maps: UnsafeMutablePointer<Float>?
) -> blan_status {
  guarded {
    let model = try ModelHandle.required(model, "model").model
    let options = try blan_occlusion_options.read(options)
    let occlusion = try options.occlusion(size: model.configuration.inputSize)
    let pixels = try prepared(image, model.configuration, threads: model.predictor.threads)
    let total = occlusion.places.count * occlusion.places.count
    try occlusion.explain(
      model.predictor, pixels.pointer, targets: explained(targets, count: count), into: required(maps, "maps"),
      values: options.values
    ) { done in (options.progress?(done, total, options.user) ?? 0) == 0 }
  }
}

@_cdecl("blan_explainer_load")
public func explainerLoad(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_load_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) { try load(ModelFile(path: readablePath(path, "path")), options) }
}

@_cdecl("blan_explainer_load_memory")
public func explainerLoadMemory(
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
  let threads = try blan_load_options.checked(options).threads
  return ExplainerHandle(try GradCAM(file(), threads: threads)).retained()
}

@_cdecl("blan_explainer_free")
public func explainerFree(_ explainer: OpaquePointer?) { ExplainerHandle.free(explainer) }

@_cdecl("blan_explainer_map_size")
public func explainerMapSize(_ explainer: OpaquePointer?, _ level: Int32) -> Int {
  guard level > 0 else { return 0 }
  return element(ExplainerHandle.optional(explainer)?.gradCAM.mapSizes, Int(level) - 1) ?? 0
}

@_cdecl("blan_explain_gradcam")
public func explainGradCAM(
  _ explainer: OpaquePointer?, _ image: UnsafePointer<blan_image>?, _ targets: UnsafePointer<blan_explain_target>?,
  _ count: Int, _ options: UnsafePointer<blan_gradcam_options>?, _ maps: UnsafeMutablePointer<Float>?
) -> blan_status {
  guarded {
    let gradCAM = try ExplainerHandle.required(explainer, "explainer").gradCAM
    let options = try blan_gradcam_options.read(options)
    let pixels = try prepared(image, gradCAM.configuration, threads: gradCAM.threads)
    try gradCAM.explain(
      pixels.pointer, targets: explained(targets, count: count), into: required(maps, "maps"), values: options.values
    ) { done in (options.progress?(done, count, options.user) ?? 0) == 0 }
  }
}

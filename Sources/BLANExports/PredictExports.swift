import BLANImages
import BLANInference
import BLANTensors
import CBLAN

extension blan_predict_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, scores: nil, logits: nil, embeddings: nil, attention: nil,
      maximum_pixels: 0, on_error: nil, user: nil)
  }

  func outputs(_ probabilities: UnsafeMutablePointer<Float>?) throws -> PredictionOutputs {
    PredictionOutputs(
      probabilities: try required(probabilities, "probabilities"), scores: scores, logits: logits,
      embeddings: embeddings, attention: attention)
  }
}

/// Images in a call: so many that no size computed from them overflows.
func checked(count: Int, _ name: String) throws -> Int {
  guard (0...(1 << 31)).contains(count) else {
    throw BLANError.invalidArgument("\(name) is \(UInt(bitPattern: count)); expected at most \(1 << 31)")
  }
  return count
}

@_cdecl("blan_predict_tensor")
public func predictTensor(
  _ model: OpaquePointer?, _ pixels: UnsafePointer<Float>?, _ batch: Int,
  _ options: UnsafePointer<blan_predict_options>?, _ probabilities: UnsafeMutablePointer<Float>?
) -> blan_status {
  guarded {
    let model = try ModelHandle.required(model, "model").model
    let outputs = try blan_predict_options.read(options).outputs(probabilities)
    try model.predictor.predict(required(pixels, "pixels"), batch: checked(count: batch, "batch"), into: outputs)
  }
}

@_cdecl("blan_predict_images")
public func predictImages(
  _ model: OpaquePointer?, _ images: UnsafePointer<blan_image>?, _ count: Int,
  _ options: UnsafePointer<blan_predict_options>?, _ probabilities: UnsafeMutablePointer<Float>?
) -> blan_status {
  guarded {
    let model = try ModelHandle.required(model, "model").model
    let outputs = try blan_predict_options.read(options).outputs(probabilities)
    let images = UnsafeBufferPointer(start: try required(images, "images"), count: try checked(count: count, "count"))
    let views = try images.enumerated().map { index, image in
      do {
        return try ImageView(image)
      } catch let error as BLANError {
        throw BLANError(error.kind, "images[\(index)]: \(error.message)")
      }
    }
    try model.predict(views, into: outputs)
  }
}

@_cdecl("blan_predict_files")
public func predictFiles(
  _ model: OpaquePointer?, _ paths: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int,
  _ options: UnsafePointer<blan_predict_options>?, _ probabilities: UnsafeMutablePointer<Float>?,
  _ statuses: UnsafeMutablePointer<blan_status>?
) -> blan_status {
  guarded {
    let paths = try required(paths, "paths")
    try predictEncoded(model, count, options, probabilities, statuses) { decoder, index in
      try decoder.decode(path: readablePath(paths[index], "paths[\(index)]"))
    }
  }
}

@_cdecl("blan_predict_encoded")
public func predictEncodedImages(
  _ model: OpaquePointer?, _ bytes: UnsafePointer<UnsafeRawPointer?>?, _ lengths: UnsafePointer<Int>?, _ count: Int,
  _ options: UnsafePointer<blan_predict_options>?, _ probabilities: UnsafeMutablePointer<Float>?,
  _ statuses: UnsafeMutablePointer<blan_status>?
) -> blan_status {
  guarded {
    let bytes = try required(bytes, "bytes")
    let lengths = try required(lengths, "lengths")
    try predictEncoded(model, count, options, probabilities, statuses) { decoder, index in
      try decoder.decode(borrowed(bytes[index], lengths[index], "bytes[\(index)]"), name: "image \(index)")
    }
  }
}

private func predictEncoded(
  _ model: OpaquePointer?, _ count: Int, _ options: UnsafePointer<blan_predict_options>?,
  _ probabilities: UnsafeMutablePointer<Float>?, _ statuses: UnsafeMutablePointer<blan_status>?,
  load: (ImageDecoder, Int) throws -> Image
) throws {
  let model = try ModelHandle.required(model, "model").model
  let count = try checked(count: count, "count")
  let options = try blan_predict_options.read(options)
  let decoder = ImageDecoder(limit: options.maximum_pixels)
  let failures = try model.predictEncoded(count: count, into: options.outputs(probabilities)) {
    try load(decoder, $0)
  }
  statuses?.update(repeating: blan_status(BLAN_OK), count: count)
  for failure in failures {
    statuses?[failure.index] = failure.error.kind.rawValue
    setLastError(failure.error.message)
    failure.error.message.withCString {
      options.on_error?(options.user, failure.index, failure.error.kind.rawValue, $0)
    }
  }
}

import BLANDetection
import BLANImages
import BLANInference
import BLANTensors
import CBLAN

/// `blan_detector`.
final class DetectorHandle: Handle, Sendable {
  let detector: FaceDetector

  init(_ detector: FaceDetector) { self.detector = detector }
}

extension blan_detect_options: Options {
  static var defaults: Self {
    let defaults = DetectionOptions()
    let thresholds = defaults.thresholds
    return Self(
      struct_size: MemoryLayout<Self>.size, min_face: defaults.minimumFace,
      thresholds: (thresholds[0], thresholds[1], thresholds[2]), max_faces: Int32(clamping: defaults.maximumFaces),
      factor: defaults.factor)
  }

  var detection: DetectionOptions {
    var options = DetectionOptions()
    options.minimumFace = min_face
    options.thresholds = [thresholds.0, thresholds.1, thresholds.2]
    options.maximumFaces = Int(max_faces)
    options.factor = factor
    return options
  }
}

extension blan_face {
  init(_ face: Face) {
    let points = face.landmarks.map { (Float($0.x), Float($0.y)) }
    self.init(
      x0: face.box.x0, y0: face.box.y0, x1: face.box.x1, y1: face.box.y1, score: face.score,
      landmarks: (points[0], points[1], points[2], points[3], points[4]))
  }
}

extension Face {
  init(_ face: blan_face) {
    let (a, b, c, d, e) = face.landmarks
    self.init(
      box: Box(face.x0, face.y0, face.x1, face.y1), score: face.score,
      landmarks: [a, b, c, d, e].map { FaceAlignment.Point(Double($0.0), Double($0.1)) })
  }
}

@_cdecl("blan_detector_load")
public func detectorLoad(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_load_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) { try load(DetectorFile(path: readablePath(path, "path")), options) }
}

@_cdecl("blan_detector_load_memory")
public func detectorLoadMemory(
  _ bytes: UnsafeRawPointer?, _ length: Int, _ options: UnsafePointer<blan_load_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let bytes = try borrowed(bytes, length, "bytes")
    return try load(DetectorFile(borrowing: bytes), options)
  }
}

private func load(_ file: @autoclosure () throws -> DetectorFile, _ options: UnsafePointer<blan_load_options>?) throws
  -> OpaquePointer
{
  let threads = try blan_load_options.checked(options).threads
  return DetectorHandle(try FaceDetector(file(), threads: threads)).retained()
}

@_cdecl("blan_detector_free")
public func detectorFree(_ detector: OpaquePointer?) { DetectorHandle.free(detector) }

@_cdecl("blan_detector_threads")
public func detectorThreads(_ detector: OpaquePointer?) -> Int32 {
  Int32(clamping: DetectorHandle.optional(detector)?.detector.threads ?? 0)
}

@_cdecl("blan_detect_faces")
public func detectFaces(
  _ detector: OpaquePointer?, _ image: UnsafePointer<blan_image>?, _ options: UnsafePointer<blan_detect_options>?,
  _ faces: UnsafeMutablePointer<blan_face>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> blan_status {
  count?.pointee = 0
  return guarded {
    let detector = try DetectorHandle.required(detector, "detector").detector
    let count = try required(count, "count")
    let room = try checked(capacity: capacity)
    let faces = room == 0 ? faces : try required(faces, "faces")
    let found = try detector.detect(
      ImageView(required(image, "image").pointee), blan_detect_options.read(options).detection)
    for (index, face) in found.prefix(room).enumerated() { faces?[index] = blan_face(face) }
    count.pointee = found.count
  }
}

@_cdecl("blan_align_detected")
public func alignDetected(
  _ image: UnsafePointer<blan_image>?, _ face: UnsafePointer<blan_face>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let view = try ImageView(required(image, "image").pointee)
    let aligned = try FaceDetector.align(view, Face(required(face, "face").pointee), threads: 1)
    return BitmapHandle(aligned).retained()
  }
}

@_cdecl("blan_face_frame")
public func faceFrame(_ face: UnsafePointer<blan_face>?, _ matrix: UnsafeMutablePointer<Double>?) -> blan_status {
  guarded {
    let matrix = try required(matrix, "m")
    let frame = try FaceDetector.frame(Face(required(face, "face").pointee))
    for (place, value) in [frame.a, -frame.b, frame.tx, frame.b, frame.a, frame.ty].enumerated() {
      matrix[place] = value
    }
  }
}

@_cdecl("blan_predict_faces")
public func predictFaces(
  _ model: OpaquePointer?, _ detector: OpaquePointer?, _ image: UnsafePointer<blan_image>?,
  _ detection: UnsafePointer<blan_detect_options>?, _ options: UnsafePointer<blan_predict_options>?,
  _ faces: UnsafeMutablePointer<blan_face>?, _ probabilities: UnsafeMutablePointer<Float>?, _ capacity: Int,
  _ count: UnsafeMutablePointer<Int>?
) -> blan_status {
  count?.pointee = 0
  return guarded {
    let model = try ModelHandle.required(model, "model").model
    let detector = try DetectorHandle.required(detector, "detector").detector
    let count = try required(count, "count")
    let room = try checked(capacity: capacity)
    let outputs = try blan_predict_options.read(options).outputs(probabilities)
    let found = try model.predictFaces(
      in: ImageView(required(image, "image").pointee), by: detector, blan_detect_options.read(detection).detection,
      capacity: room, into: outputs)
    for (index, face) in found.prefix(room).enumerated() { faces?[index] = blan_face(face) }
    count.pointee = found.count
  }
}

/// Room for faces: a number that no size computed from it overflows.
private func checked(capacity: Int) throws -> Int {
  guard (0...(1 << 31)).contains(capacity) else {
    throw BLANError.invalidArgument("capacity is \(UInt(bitPattern: capacity)); expected at most \(1 << 31)")
  }
  return capacity
}

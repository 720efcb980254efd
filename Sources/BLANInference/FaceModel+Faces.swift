import BLANDetection
import BLANImages
import BLANTensors

extension FaceModel {
  /// Predicts the faces of a whole photo, each aligned by its landmarks.
  ///
  /// - Parameters:
  ///   - capacity: at most so many faces are predicted.
  ///   - outputs: room for `capacity` faces.
  /// - Returns: all faces, the largest first; the first `capacity` of them have outputs.
  public func predictFaces(
    in photo: ImageView, by detector: FaceDetector, _ options: DetectionOptions, capacity: Int,
    into outputs: PredictionOutputs
  ) throws -> [Face] {
    let faces = try detector.detect(photo, options)
    // One batch at a time is aligned: a crowd's faces need not be in memory at once.
    for first in stride(from: 0, to: min(faces.count, capacity), by: Predictor.largestChunk) {
      let chunk = faces[first..<min(first + Predictor.largestChunk, faces.count, capacity)]
      let failures = try predictEncoded(
        count: chunk.count, into: outputs.advanced(by: first, predictor.network)
      ) { index in
        try FaceDetector.align(photo, faces[first + index], threads: 1)
      }
      if let failure = failures.first { throw failure.error }
    }
    return faces
  }
}

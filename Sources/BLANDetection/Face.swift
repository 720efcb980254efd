import BLANImages

/// A face that was found, in pixels of the image.
public struct Face: Sendable, Equatable {
  public let box: Box
  /// How sure the detector is, up to 1.
  public let score: Float
  /// The eye on the image's left, the one on its right, the nose, and the mouth's left and right corners.
  public let landmarks: [FaceAlignment.Point]

  public init(box: Box, score: Float, landmarks: [FaceAlignment.Point]) {
    self.box = box
    self.score = score
    self.landmarks = landmarks
  }
}

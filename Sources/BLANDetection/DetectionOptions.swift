import BLANTensors

/// What counts as a face, and how many are wanted.
public struct DetectionOptions: Sendable, Equatable {
  /// Side in pixels of the smallest face that is looked for; the time goes with its inverse square.
  public var minimumFace: Double = 20
  /// Scores above which P-Net's, R-Net's and O-Net's candidates stay.
  public var thresholds: [Float] = [0.6, 0.7, 0.7]
  /// The largest faces that are given; 0 for all.
  public var maximumFaces = 0
  /// Size of one level of the pyramid to the next larger one's.
  public var factor: Double = 0.709

  public init() {}

  /// - Throws: `BLANError.invalidArgument` naming the option and its range.
  public func validate() throws {
    guard minimumFace >= 12, minimumFace <= 1e6 else {
      throw BLANError.invalidArgument("min_face is \(minimumFace); expected 12 to 1000000 pixels")
    }
    for (index, threshold) in thresholds.enumerated() where !(threshold > 0 && threshold < 1) {
      throw BLANError.invalidArgument("thresholds[\(index)] is \(threshold); expected above 0 and below 1")
    }
    guard thresholds.count == CascadeNetwork.all.count else {
      throw BLANError.invalidArgument("there are \(thresholds.count) thresholds; expected \(CascadeNetwork.all.count)")
    }
    guard maximumFaces >= 0 else {
      throw BLANError.invalidArgument("max_faces is \(maximumFaces); expected 0 (all) or more")
    }
    guard factor >= 0.1, factor <= 0.95 else {
      throw BLANError.invalidArgument("factor is \(factor); expected 0.1 to 0.95")
    }
  }
}

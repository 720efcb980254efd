import BLANTensors

/// Random changes to training images, against overfitting. Each is off until asked for.
///
/// What happens to an image depends on the seed, the epoch and the item's index, never on the order in which threads
/// come to it.
public struct Augmentation: Sendable, Equatable {
  /// Mirrors left and right with probability 1/2.
  public var mirror = false

  public init(mirror: Bool = false) { self.mirror = mirror }

  func validate() throws {}

  /// What happens to one item in one epoch.
  func draw(seed: UInt64, epoch: Int, item: Int) -> AugmentationDraw {
    var draw = AugmentationDraw()
    guard self != Augmentation() else { return draw }
    var stream = RandomStream(seed: seed, key: "augmentation/\(epoch)/\(item)")
    // Every number is drawn whether it is used or not: switching one change on leaves the others as they were.
    let mirrors = stream.nextUniform() < 0.5
    draw.mirrors = mirror && mirrors
    return draw
  }
}

/// The changes drawn for one image.
struct AugmentationDraw: Equatable {
  var mirrors = false
}

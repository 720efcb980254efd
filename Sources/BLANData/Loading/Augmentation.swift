import BLANImages
import BLANTensors
import Glibc

/// Random changes to training images, against overfitting. Each is off until asked for.
///
/// They happen in the square frame that the network sees, in the order of the properties here. What happens to an image
/// depends on the seed, the epoch and the item's index, never on the order in which threads come to it.
public struct Augmentation: Sendable, Equatable {
  /// Greatest move of the crop to each side, as a share of the image's side: 0 to 0.5.
  public var shift = 0.0
  /// Enlarges or reduces by a factor between 1 / (1 + zoom) and 1 + zoom: 0 to 1.
  public var zoom = 0.0
  /// Greatest turn to each side, in degrees: 0 to 180.
  public var rotation = 0.0
  /// Multiplies all values by a factor between 1 - brightness and 1 + brightness: 0 to 1.
  public var brightness = 0.0
  /// Multiplies the distance from the image's mean grey by a factor between 1 - contrast and 1 + contrast: 0 to 1.
  public var contrast = 0.0
  /// Multiplies the distance from the pixel's grey by a factor between 1 - saturation and 1 + saturation: 0 to 1.
  public var saturation = 0.0
  /// Mirrors left and right with probability 1/2.
  public var mirror = false
  /// Side of a square that is blanked (to the normalised value 0), as a share of the image's side: 0 to 1. Its centre is
  /// anywhere in the image, so part of it may fall outside.
  public var cutout = 0.0

  public init(
    shift: Double = 0, zoom: Double = 0, rotation: Double = 0, brightness: Double = 0, contrast: Double = 0,
    saturation: Double = 0, mirror: Bool = false, cutout: Double = 0
  ) {
    self.shift = shift
    self.zoom = zoom
    self.rotation = rotation
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.mirror = mirror
    self.cutout = cutout
  }

  /// - Throws: `BLANError.invalidArgument`, naming the property, its value and its range.
  func validate() throws {
    let ranges = [
      ("shift", shift, 0.5), ("zoom", zoom, 1), ("rotation", rotation, 180), ("brightness", brightness, 1),
      ("contrast", contrast, 1), ("saturation", saturation, 1), ("cutout", cutout, 1),
    ]
    for (name, value, largest) in ranges where !(value >= 0 && value <= largest) {
      throw BLANError.invalidArgument("\(name) of the augmentation is \(value); expected 0 to \(largest)")
    }
  }

  /// Side of the images that are kept for inputs of `size`: so large that the greatest enlargement loses nothing.
  func storedSize(for size: Int) -> Int { Int((Double(size) * (1 + zoom)).rounded(.up)) }

  /// What happens to one item in one epoch.
  func draw(seed: UInt64, epoch: Int, item: Int) -> AugmentationDraw {
    var draw = AugmentationDraw()
    guard self != Augmentation() else { return draw }
    var stream = RandomStream(seed: seed, key: "augmentation/\(epoch)/\(item)")
    // Every number is drawn whether it is used or not: switching one change on leaves the others as they were.
    let mirrors = stream.nextUniform() < 0.5
    draw.mirrors = mirror && mirrors
    draw.shift.x = shift * stream.nextSigned()
    draw.shift.y = shift * stream.nextSigned()
    draw.enlargement = exp(log(1 + zoom) * stream.nextSigned())
    draw.radians = rotation / 180 * .pi * stream.nextSigned()
    draw.colour.brightness = Float(1 + brightness * stream.nextSigned())
    draw.colour.contrast = Float(1 + contrast * stream.nextSigned())
    draw.colour.saturation = Float(1 + saturation * stream.nextSigned())
    draw.cutout.x = stream.nextUniform()
    draw.cutout.y = stream.nextUniform()
    draw.cutout.side = cutout
    return draw
  }
}

/// The changes drawn for one image.
struct AugmentationDraw: Equatable {
  /// In sides of the image.
  struct Shift: Equatable {
    var x = 0.0
    var y = 0.0
  }

  /// Centre and side of the blanked square, in sides of the image.
  struct Cutout: Equatable {
    var x = 0.0
    var y = 0.0
    var side = 0.0
  }

  var mirrors = false
  var shift = Shift()
  var enlargement = 1.0
  var radians = 0.0
  var colour = ColourChange()
  var cutout = Cutout()

  /// How the stored image is brought into the frame of `size`; nil where it lies in it already.
  func similarity(stored: Int, size: Int) -> Similarity? {
    if stored == size && shift == Shift() && enlargement == 1 && radians == 0 { return nil }
    return Similarity(
      source: stored, target: size, enlargement: enlargement, radians: radians, shift: (shift.x, shift.y))
  }
}

extension RandomStream {
  /// Uniform in [-1, 1).
  fileprivate mutating func nextSigned() -> Double { 2 * nextUniform() - 1 }
}

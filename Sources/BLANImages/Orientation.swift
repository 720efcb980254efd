import BLANTensors

/// The eight EXIF orientations: how the stored pixels must be turned to be upright.
enum Orientation: Int {
  case upright = 1
  case mirrored = 2
  case upsideDown = 3
  case flipped = 4
  case transposed = 5
  case clockwise = 6
  case transversed = 7
  case counterClockwise = 8

  private var swapsAxes: Bool { rawValue >= Orientation.transposed.rawValue }

  /// The image, upright.
  func apply(to image: Image) throws -> Image {
    guard self != .upright else { return image }
    let width = swapsAxes ? image.height : image.width
    let height = swapsAxes ? image.width : image.height
    let result = try Image(width: width, height: height)
    for y in 0..<height {
      for x in 0..<width {
        let (column, row) = source(x, y, of: image)
        let from = image.pixels.pointer + (row * image.width + column) * 3
        (result.pixels.pointer + (y * width + x) * 3).update(from: from, count: 3)
      }
    }
    return result
  }

  /// Where the upright pixel (x, y) stands in the stored image.
  private func source(_ x: Int, _ y: Int, of image: Image) -> (x: Int, y: Int) {
    let right = image.width - 1
    let bottom = image.height - 1
    switch self {
    case .upright: return (x, y)
    case .mirrored: return (right - x, y)
    case .upsideDown: return (right - x, bottom - y)
    case .flipped: return (x, bottom - y)
    case .transposed: return (y, x)
    case .clockwise: return (y, bottom - x)
    case .transversed: return (right - y, bottom - x)
    case .counterClockwise: return (right - y, x)
    }
  }
}

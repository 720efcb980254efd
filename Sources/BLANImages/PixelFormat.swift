/// How 8-bit pixels lie in memory; raw values are those of `blan_pixel_format`.
public enum PixelFormat: Int32, Sendable, CaseIterable {
  case rgb8 = 0
  case bgr8 = 1
  /// Alpha is ignored.
  case rgba8 = 2
  /// Alpha is ignored.
  case bgra8 = 3
  case gray8 = 4

  public var bytesPerPixel: Int {
    switch self {
    case .rgb8, .bgr8: return 3
    case .rgba8, .bgra8: return 4
    case .gray8: return 1
    }
  }

  /// Where R, G and B stand in a pixel.
  var channels: (UInt8, UInt8, UInt8) {
    switch self {
    case .rgb8, .rgba8: return (0, 1, 2)
    case .bgr8, .bgra8: return (2, 1, 0)
    case .gray8: return (0, 0, 0)
    }
  }
}

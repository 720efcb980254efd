import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANImages

/// The images of Tests/Fixtures/images and what Pillow makes of them.
enum ImageFixture {
  /// Upright RGB8 pixels.
  struct Picture: Equatable {
    var width: Int
    var height: Int
    var rgb: [UInt8]
  }

  static let files = [
    "cmyk.jpg", "grey-16.png", "grey-alpha-16.png", "grey-alpha.png", "grey.jpg", "grey.png", "one-bit.png",
    "orientation-1.jpg", "orientation-2.jpg", "orientation-3.jpg", "orientation-3.png", "orientation-4.jpg",
    "orientation-5.jpg", "orientation-6.jpg", "orientation-6.png", "orientation-7.jpg", "orientation-8.jpg",
    "palette-4.png", "palette-transparent.png", "palette.png", "photo.png", "progressive.jpg", "rgb-16.png", "rgb.png",
    "rgba-16.png", "rgba.png", "subsampled.jpg", "unsampled.jpg",
  ]

  static let resized = [(128, 128), (64, 64), (32, 32), (61, 47), (16, 90), (200, 30), (5, 3), (1, 1)]

  static func expected(_ name: String) throws -> Picture {
    let file = try TensorFixture("images/expected.safetensors")
    let shape = try #require(file.shape(name))
    return Picture(width: shape[1], height: shape[0], rgb: try file.bytes(name))
  }

  static func decode(_ bytes: [UInt8], maximumPixels: Int = ImageDecoder.defaultMaximumPixels) throws -> Picture {
    try bytes.withUnsafeBytes { picture(try ImageDecoder(maximumPixels: maximumPixels).decode($0, name: "it")) }
  }

  static func picture(_ image: Image) -> Picture {
    withExtendedLifetime(image.pixels) {
      Picture(width: image.width, height: image.height, rgb: Array(image.pixels.elements))
    }
  }

  /// The largest difference of two pictures' bytes; 256 where their sizes differ.
  static func difference(_ a: Picture, _ b: Picture) -> Int {
    guard a.width == b.width, a.height == b.height, a.rgb.count == b.rgb.count else { return 256 }
    return zip(a.rgb, b.rgb).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
  }
}

/// Factors of brightness, contrast and saturation, applied in that order; 1 changes nothing.
struct ColourChange: Equatable {
  var brightness: Float = 1
  var contrast: Float = 1
  var saturation: Float = 1

  /// Changes `count` RGB8 pixels in place; values are rounded and kept within 0 to 255 at the end.
  func apply(to rgb: UnsafeMutablePointer<UInt8>, count: Int) {
    guard self != ColourChange(), count > 0 else { return }
    var sum = 0.0
    for pixel in 0..<count { sum += Double(Self.grey(rgb + 3 * pixel)) }
    // The three steps are linear, so together each value is own · value + grey · grey of the pixel + constant.
    let own = brightness * contrast * saturation
    let grey = brightness * contrast * (1 - saturation)
    let constant = brightness * (1 - contrast) * Float(sum / Double(count))
    for pixel in 0..<count {
      let place = rgb + 3 * pixel
      let added = grey * Self.grey(place) + constant
      for channel in 0..<3 {
        place[channel] = UInt8(min(max(own * Float(place[channel]) + added, 0), 255) + 0.5)
      }
    }
  }

  /// The luma of ITU-R BT.601.
  private static func grey(_ rgb: UnsafePointer<UInt8>) -> Float {
    0.299 * Float(rgb[0]) + 0.587 * Float(rgb[1]) + 0.114 * Float(rgb[2])
  }
}

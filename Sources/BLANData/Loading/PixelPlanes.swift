/// Loops over the pixels of square images.
enum PixelPlanes {
  /// planes [3][S][S] = table[c * 256 + value] of rgb [S][S][3], mirrored left and right or not.
  ///
  /// - Parameter table: [3][256].
  static func normalise(
    _ rgb: UnsafePointer<UInt8>, size: Int, mirrors: Bool, table: UnsafePointer<Float>,
    into planes: UnsafeMutablePointer<Float>
  ) {
    let area = size * size
    for y in 0..<size {
      var pixel = rgb + y * size * 3
      var place = planes + y * size + (mirrors ? size - 1 : 0)
      let step = mirrors ? -1 : 1
      for _ in 0..<size {
        place[0] = table[Int(pixel[0])]
        place[area] = table[256 + Int(pixel[1])]
        place[2 * area] = table[512 + Int(pixel[2])]
        pixel += 3
        place += step
      }
    }
  }

  /// Sets a square of planes [3][S][S] to zero, as far as it lies in the image.
  ///
  /// - Parameters:
  ///   - x, y: its centre in sides of the image, 0 to 1.
  ///   - side: in sides of the image, 0 to 1.
  static func blank(_ planes: UnsafeMutablePointer<Float>, size: Int, x: Double, y: Double, side: Double) {
    let columns = range(around: x, side: side, size: size)
    for channel in 0..<3 {
      for row in range(around: y, side: side, size: size) {
        (planes + (channel * size + row) * size + columns.lowerBound).update(repeating: 0, count: columns.count)
      }
    }
  }

  private static func range(around centre: Double, side: Double, size: Int) -> Range<Int> {
    let length = Int((side * Double(size)).rounded())
    let first = Int((centre * Double(size) - Double(length) / 2).rounded())
    let low = min(max(first, 0), size)
    return low..<min(max(first + length, low), size)
  }
}

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
}

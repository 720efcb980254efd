/// A face's box in pixels, and the arithmetic of the cascade on it, in 32-bit floats and in the order of additions of
/// facenet-pytorch: thresholds and roundings then fall alike.
public struct Box: Sendable, Equatable {
  public var x0: Float
  public var y0: Float
  public var x1: Float
  public var y1: Float

  public init(_ x0: Float, _ y0: Float, _ x1: Float, _ y1: Float) {
    self.x0 = x0
    self.y0 = y0
    self.x1 = x1
    self.y1 = y1
  }

  var width: Float { x1 - x0 }
  var height: Float { y1 - y0 }
  var area: Float { (x1 - x0) * (y1 - y0) }
  /// The area where both end pixels count.
  var inclusiveArea: Float { (x1 - x0 + 1) * (y1 - y0 + 1) }

  /// The sides moved by shares of `width` and `height`.
  func moved(by offsets: Box, width: Float, height: Float) -> Box {
    Box(x0 + offsets.x0 * width, y0 + offsets.y0 * height, x1 + offsets.x1 * width, y1 + offsets.y1 * height)
  }

  /// The square about the same centre with the longer side.
  var squared: Box {
    let side = max(width, height)
    let left = x0 + width * 0.5 - side * 0.5
    let top = y0 + height * 0.5 - side * 0.5
    return Box(left, top, left + side, top + side)
  }

  /// The whole pixels of a `width` x `height` image that the box takes; nil for none, and for numbers that are no place.
  func pixels(width: Int, height: Int) -> PixelRect? {
    let limit: Float = 1e6
    guard [x0, y0, x1, y1].allSatisfy({ $0 > -limit && $0 < limit }) else { return nil }
    let left = max(Int(x0), 1) - 1
    let top = max(Int(y0), 1) - 1
    let right = min(Int(x1), width)
    let bottom = min(Int(y1), height)
    guard right > left, bottom > top else { return nil }
    return PixelRect(x: left, y: top, width: right - left, height: bottom - top)
  }
}

struct PixelRect: Sendable, Equatable {
  let x: Int
  let y: Int
  let width: Int
  let height: Int
}

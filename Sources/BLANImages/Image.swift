import BLANTensors

/// Packed RGB8 pixels, top row first.
public struct Image: Sendable {
  public let width: Int
  public let height: Int
  /// width x height x 3 bytes.
  public let pixels: AlignedBuffer<UInt8>

  /// A black image.
  ///
  /// - Throws: `BLANError.outOfMemory`; `.invalidArgument` when the size overflows.
  public init(width: Int, height: Int) throws {
    let (area, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0, !overflow, area <= Int.max / 4 else {
      throw BLANError.invalidArgument("cannot make an image of \(width)x\(height)")
    }
    self.width = width
    self.height = height
    pixels = try AlignedBuffer(count: area * 3, purpose: "an image of \(width)x\(height)")
  }

  /// The pixels as a view, valid during the call.
  public func withView<Result>(_ body: (ImageView) throws -> Result) throws -> Result {
    try withExtendedLifetime(pixels) {
      try body(ImageView(data: pixels.pointer, width: width, height: height, rowStride: 0, format: .rgb8))
    }
  }
}

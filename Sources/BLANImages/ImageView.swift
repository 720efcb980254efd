import BLANTensors
import CBLANKernels

/// Pixels in somebody else's memory, which must stay while the view is used.
public struct ImageView {
  public static let largestSide = 1 << 24

  public let width: Int
  public let height: Int
  package let pixels: blan_k_pixels

  /// - Parameters:
  ///   - data: the first pixel of the top row.
  ///   - rowStride: bytes between rows: at least width x bytes per pixel; 0 for exactly that; negative for an image
  ///     stored bottom row first.
  /// - Throws: `BLANError.invalidArgument` or `.shape` that names the value at fault.
  public init(data: UnsafePointer<UInt8>?, width: Int, height: Int, rowStride: Int, format: PixelFormat) throws {
    guard let data else { throw BLANError.invalidArgument("the image has no pixels: data is NULL") }
    guard (1...Self.largestSide).contains(width), (1...Self.largestSide).contains(height) else {
      throw BLANError.shape("the image is \(width)x\(height); expected sides from 1 to \(Self.largestSide)")
    }
    let rowBytes = width * format.bytesPerPixel
    guard rowStride == 0 || (rowStride > Int.min && abs(rowStride) >= rowBytes) else {
      throw BLANError.shape("the image's row_stride is \(rowStride); a row has \(rowBytes) bytes")
    }
    guard !abs(rowStride).multipliedReportingOverflow(by: height).overflow else {
      throw BLANError.shape("the image's row_stride of \(rowStride) times \(height) rows is too large")
    }
    self.width = width
    self.height = height
    pixels = blan_k_pixels(
      data: data, width: width, height: height, row_step: rowStride == 0 ? rowBytes : rowStride,
      pixel_step: format.bytesPerPixel, channels: format.channels)
  }

  /// A part of another view, which holds it.
  private init(_ pixels: blan_k_pixels) {
    width = pixels.width
    height = pixels.height
    self.pixels = pixels
  }

  /// The part of the view in the given columns and rows, of which there is at least one each, inside the view.
  func part(columns: Range<Int>, rows: Range<Int>) -> ImageView {
    var part = pixels
    part.data = pixels.data.map { $0 + rows.lowerBound * pixels.row_step + columns.lowerBound * pixels.pixel_step }
    part.width = columns.count
    part.height = rows.count
    return ImageView(part)
  }
}

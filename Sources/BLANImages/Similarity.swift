import BLANTensors
import CBLANKernels
import Glibc

/// A rotation with one scale and a shift. It tells where each pixel of a new image comes from: the new pixel (x, y) is
/// the old image's at (a x - b y + tx, b x + a y + ty), in coordinates of pixel centres.
public struct Similarity: Sendable, Equatable {
  public let a: Double
  public let b: Double
  public let tx: Double
  public let ty: Double

  public init(a: Double, b: Double, tx: Double, ty: Double) {
    self.a = a
    self.b = b
    self.tx = tx
    self.ty = ty
  }

  /// Fits a square image into another square, changed about its centre.
  ///
  /// - Parameters:
  ///   - source, target: sides of the two, in pixels.
  ///   - enlargement: above 1 the content grows beyond the frame; above 0.
  ///   - radians: how far the content turns, towards the left.
  ///   - shift: how far the content moves right and down, in sides of the target.
  public init(source: Int, target: Int, enlargement: Double, radians: Double, shift: (x: Double, y: Double)) {
    let pixels = Double(source) / Double(target) / enlargement
    a = pixels * cos(radians)
    b = pixels * sin(radians)
    let middle = Double(source - 1) / 2
    let x = Double(target - 1) / 2 + shift.x * Double(target)
    let y = Double(target - 1) / 2 + shift.y * Double(target)
    tx = middle - a * x + b * y
    ty = middle - b * x - a * y
  }

  /// Samples the old image bilinearly into the new one. Places outside the old image take its nearest pixel.
  public func warp(_ view: ImageView, into image: Image, threads: Int) {
    var pixels = view.pixels
    var similarity = blan_k_similarity(a: a, b: b, tx: tx, ty: ty)
    blan_k_warp(&pixels, &similarity, image.width, image.height, image.pixels.pointer, Int32(clamping: threads))
  }
}

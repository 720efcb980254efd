import BLANTensors
import CBLANKernels
import Glibc

/// Warps a face to the frame of CelebA's aligned images, which the network is trained on.
public enum FaceAlignment {
  public struct Point: Sendable, Equatable {
    public let x: Double
    public let y: Double
    public init(_ x: Double, _ y: Double) {
      self.x = x
      self.y = y
    }
  }

  public static let width = 178
  public static let height = 218

  /// Where CelebA's faces have the eye on the image's left, the one on its right, the nose, and the mouth's left and
  /// right corners.
  public static let template = [
    Point(69.4, 111.2), Point(107.6, 111.1), Point(88.1, 135.0), Point(71.2, 152.0), Point(105.5, 152.2),
  ]

  /// The aligned face, 178 x 218.
  ///
  /// The transform is the similarity (rotation, one scale, shift) that brings the landmarks closest to the template in
  /// the sense of least squares. Where it reduces the photo, the photo is first reduced by the antialiased filter, so
  /// that nothing flickers. Places outside the photo take its nearest pixel.
  ///
  /// - Parameters:
  ///   - landmarks: five points in pixels of the photo, in the template's order.
  ///   - template: where these points belong in the frame.
  /// - Throws: `BLANError.invalidArgument` for points that are not finite or all in one place.
  public static func align(
    _ view: ImageView, landmarks: [Point], template: [Point] = template, threads: Int
  ) throws -> Image {
    var similarity = try fit(to: landmarks, from: template)
    let result = try Image(width: width, height: height)
    let reduction = hypot(similarity.a, similarity.b)
    guard reduction > 1 else {
      warp(view, &similarity, result, threads)
      return result
    }
    // Only the part that the frame shows is reduced: a face may be small in a large photo.
    let (columns, rows) = extent(of: similarity, margin: 3 * reduction, in: view)
    let part = view.part(columns: columns, rows: rows)
    similarity.tx -= Double(columns.lowerBound)
    similarity.ty -= Double(rows.lowerBound)
    let reducedWidth = max(1, Int((Double(part.width) / reduction).rounded()))
    let reducedHeight = max(1, Int((Double(part.height) / reduction).rounded()))
    let reduced = try Resizer.resize(part, width: reducedWidth, height: reducedHeight, threads: threads)
    // The two factors differ by rounding alone; the longer side's is the more exact, and one keeps it a similarity.
    let factor =
      part.width >= part.height
      ? Double(reducedWidth) / Double(part.width) : Double(reducedHeight) / Double(part.height)
    similarity.a *= factor
    similarity.b *= factor
    // Pixel centres lie at half-integers of the area that is scaled.
    similarity.tx = (similarity.tx + 0.5) * factor - 0.5
    similarity.ty = (similarity.ty + 0.5) * factor - 0.5
    try reduced.withView { warp($0, &similarity, result, threads) }
    return result
  }

  /// The columns and rows of the view that the frame shows through the similarity, with a margin around for filters; at
  /// least the nearest one.
  private static func extent(
    of similarity: blan_k_similarity, margin: Double, in view: ImageView
  ) -> (columns: Range<Int>, rows: Range<Int>) {
    func clipped(_ places: [Double], _ count: Int) -> Range<Int> {
      let first = places.reduce(.infinity, min) - margin
      let last = places.reduce(-.infinity, max) + margin
      let lower = Int(max(0, min(first.rounded(.down), Double(count - 1))))
      let upper = Int(max(0, min(last.rounded(.up), Double(count - 1))))
      return lower..<upper + 1
    }
    let corners = [(0, 0), (width, 0), (0, height), (width, height)].map { (Double($0.0), Double($0.1)) }
    let columns = corners.map { similarity.a * $0.0 - similarity.b * $0.1 + similarity.tx }
    let rows = corners.map { similarity.b * $0.0 + similarity.a * $0.1 + similarity.ty }
    return (clipped(columns, view.width), clipped(rows, view.height))
  }

  /// Where each pixel of the aligned frame comes from.
  ///
  /// - Throws: as ``align(_:landmarks:template:threads:)``.
  public static func frame(landmarks: [Point], template: [Point] = template) throws -> Similarity {
    let fitted = try fit(to: landmarks, from: template)
    return Similarity(a: fitted.a, b: fitted.b, tx: fitted.tx, ty: fitted.ty)
  }

  private static func warp(
    _ view: ImageView, _ similarity: inout blan_k_similarity, _ result: Image, _ threads: Int
  ) {
    var pixels = view.pixels
    blan_k_warp(&pixels, &similarity, width, height, result.pixels.pointer, Int32(clamping: threads))
  }

  /// The least-squares similarity from the template's frame to the landmarks' (Umeyama 1991, without reflection).
  static func fit(to landmarks: [Point], from template: [Point] = template) throws -> blan_k_similarity {
    guard landmarks.count == template.count else {
      throw BLANError.invalidArgument("there are \(landmarks.count) landmarks; expected \(template.count)")
    }
    for (index, point) in landmarks.enumerated() {
      guard point.x.isFinite, point.y.isFinite, abs(point.x) < 1e8, abs(point.y) < 1e8 else {
        throw BLANError.invalidArgument("landmark \(index) is (\(point.x), \(point.y)); expected pixel coordinates")
      }
    }
    let from = centre(template)
    let to = centre(landmarks)
    var dot = 0.0
    var cross = 0.0
    var spread = 0.0
    for (p, q) in zip(template, landmarks) {
      let (px, py, qx, qy) = (p.x - from.x, p.y - from.y, q.x - to.x, q.y - to.y)
      dot += px * qx + py * qy
      cross += px * qy - py * qx
      spread += px * px + py * py
    }
    let a = dot / spread
    let b = cross / spread
    guard hypot(a, b) > 1e-6 else {
      throw BLANError.invalidArgument("the five landmarks lie in one place or are no face: no transform fits them")
    }
    return blan_k_similarity(a: a, b: b, tx: to.x - a * from.x + b * from.y, ty: to.y - b * from.x - a * from.y)
  }

  private static func centre(_ points: [Point]) -> Point {
    let count = Double(points.count)
    return Point(points.reduce(0) { $0 + $1.x } / count, points.reduce(0) { $0 + $1.y } / count)
  }
}

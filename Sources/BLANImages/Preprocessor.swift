import BLANTensors
import CBLANKernels

/// Prepares images for the network: squashed to S x S and normalised, (value / 255 - mean) / std.
public struct Preprocessor: Sendable {
  public let size: Int
  /// What each 8-bit value of each channel becomes: [3][256].
  public let table: [Float]

  /// - Parameters:
  ///   - size: S, in pixels.
  ///   - mean, std: of R, G and B on a scale of 0 to 1; three numbers each.
  public init(size: Int, mean: [Float], std: [Float]) {
    self.size = size
    table = zip(mean, std).flatMap { mean, std in (0..<256).map { (Float($0) / 255 - mean) / std } }
  }

  /// Writes 3 x S x S floats, R then G then B.
  ///
  /// - Throws: `BLANError.outOfMemory`; `.invalidArgument` for sizes that no resize can do.
  public func prepare(
    _ view: ImageView, into planes: UnsafeMutablePointer<Float>, scratch: ResizeScratch, threads: Int
  ) throws {
    var pixels = view.pixels
    try scratch.withWorkspace(for: view, width: size, height: size) { workspace in
      blan_k_resize(&pixels, size, size, nil, planes, table, workspace, Int32(clamping: threads))
    }
  }
}

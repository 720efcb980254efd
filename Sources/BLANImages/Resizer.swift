import BLANTensors
import CBLANKernels

/// Antialiased triangle resizing, equal to Pillow's `resize(BILINEAR)`.
public enum Resizer {
  /// The image at `width` x `height`.
  public static func resize(_ view: ImageView, width: Int, height: Int, threads: Int) throws -> Image {
    let image = try Image(width: width, height: height)
    let workspace = try makeWorkspace(view, width: width, height: height)
    var pixels = view.pixels
    blan_k_resize(
      &pixels, width, height, image.pixels.pointer, nil, nil, workspace.pointer, Int32(clamping: threads))
    return image
  }

  fileprivate static func makeWorkspace(_ view: ImageView, width: Int, height: Int) throws -> AlignedBuffer<UInt8> {
    let bytes = blan_k_resize_workspace_bytes(view.width, view.height, width, height)
    guard bytes > 0 else {
      throw BLANError.invalidArgument("cannot resize \(view.width)x\(view.height) pixels to \(width)x\(height)")
    }
    return try AlignedBuffer(count: bytes, purpose: "resizing \(view.width)x\(view.height) pixels")
  }
}

/// Prepares images for the network: squashed to S x S and normalised, (value / 255 - mean) / std.
public struct Preprocessor: Sendable {
  public let size: Int
  /// What each 8-bit value of each channel becomes: [3][256].
  private let table: [Float]

  /// - Parameters:
  ///   - mean, std: of R, G and B on a scale of 0 to 1; three numbers each.
  public init(size: Int, mean: [Float], std: [Float]) {
    self.size = size
    table = (0..<3).flatMap { channel in
      (0..<256).map { value in (Float(value) / 255 - mean[channel]) / std[channel] }
    }
  }

  /// Writes 3 x S x S floats.
  public func prepare(_ view: ImageView, into planes: UnsafeMutablePointer<Float>, threads: Int) throws {
    let workspace = try Resizer.makeWorkspace(view, width: size, height: size)
    var pixels = view.pixels
    blan_k_resize(&pixels, size, size, nil, planes, table, workspace.pointer, Int32(clamping: threads))
  }
}

import BLANTensors
import CBLANKernels

/// Antialiased triangle resizing, equal to Pillow's `resize(BILINEAR)`.
public enum Resizer {
  /// The image at `width` x `height`.
  public static func resize(_ view: ImageView, width: Int, height: Int, threads: Int) throws -> Image {
    let image = try Image(width: width, height: height)
    let scratch = ResizeScratch()
    var pixels = view.pixels
    try scratch.withWorkspace(for: view, width: width, height: height) { workspace in
      blan_k_resize(&pixels, width, height, image.pixels.pointer, nil, nil, workspace, Int32(clamping: threads))
    }
    return image
  }
}

/// Working memory of resizes, kept from one to the next unless an unusual image made it large. Belongs to one thread at a
/// time.
public final class ResizeScratch {
  /// Bytes that are kept: many times what a photo needs.
  static let mostKept = 16 << 20
  private(set) var buffer: AlignedBuffer<UInt8>?

  public init() {}

  /// Runs `body` with memory for one resize.
  func withWorkspace(
    for view: ImageView, width: Int, height: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Void
  ) throws {
    let bytes = blan_k_resize_workspace_bytes(view.width, view.height, width, height)
    guard bytes > 0 else {
      throw BLANError.invalidArgument("cannot resize \(view.width)x\(view.height) pixels to \(width)x\(height)")
    }
    if let buffer, buffer.count >= bytes { return body(buffer.pointer) }
    buffer = nil
    let larger = try AlignedBuffer<UInt8>(count: bytes, purpose: "resizing \(view.width)x\(view.height) pixels")
    if bytes <= Self.mostKept { buffer = larger }
    body(larger.pointer)
  }
}

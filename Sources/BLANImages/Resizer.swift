import BLANTensors
import CBLANKernels

/// Antialiased triangle resizing, equal to Pillow's `resize(BILINEAR)`.
public enum Resizer {
  /// The image at `width` x `height`.
  public static func resize(_ view: ImageView, width: Int, height: Int, threads: Int) throws -> Image {
    let image = try Image(width: width, height: height)
    let scratch = ResizeScratch()
    var pixels = view.pixels
    blan_k_resize(
      &pixels, width, height, image.pixels.pointer, nil, nil,
      try scratch.workspace(for: view, width: width, height: height), Int32(clamping: threads))
    return image
  }
}

/// Working memory of resizes, kept from one to the next. Belongs to one thread at a time.
public final class ResizeScratch {
  private var buffer: AlignedBuffer<UInt8>?

  public init() {}

  /// Memory for one resize; valid until the next call.
  func workspace(for view: ImageView, width: Int, height: Int) throws -> UnsafeMutablePointer<UInt8> {
    let bytes = blan_k_resize_workspace_bytes(view.width, view.height, width, height)
    guard bytes > 0 else {
      throw BLANError.invalidArgument("cannot resize \(view.width)x\(view.height) pixels to \(width)x\(height)")
    }
    if let buffer, buffer.count >= bytes { return buffer.pointer }
    buffer = nil
    let larger = try AlignedBuffer<UInt8>(count: bytes, purpose: "resizing \(view.width)x\(view.height) pixels")
    buffer = larger
    return larger.pointer
  }
}

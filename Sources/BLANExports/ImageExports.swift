import BLANImages
import BLANTensors
import CBLAN

extension blan_decode_options: Options {
  static var defaults: Self { Self(struct_size: MemoryLayout<Self>.size, maximum_pixels: 0) }
}

extension ImageDecoder {
  /// - Parameter limit: `maximum_pixels` of the options; 0 for the default.
  init(limit: UInt64) { self.init(maximumPixels: limit == 0 ? Self.defaultMaximumPixels : Int(clamping: limit)) }
}

extension ImageView {
  init(_ image: blan_image) throws {
    guard let format = PixelFormat(rawValue: image.format) else {
      throw BLANError.invalidArgument("the image's format is \(image.format); expected one of blan_pixel_format")
    }
    try self.init(
      data: image.data, width: Int(image.width), height: Int(image.height), rowStride: Int(image.row_stride),
      format: format)
  }
}

@_cdecl("blan_bitmap_load")
public func bitmapLoad(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_decode_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let decoder = ImageDecoder(limit: try blan_decode_options.read(options).maximum_pixels)
    return BitmapHandle(try decoder.decode(path: readablePath(path, "path"))).retained()
  }
}

@_cdecl("blan_bitmap_decode")
public func bitmapDecode(
  _ bytes: UnsafeRawPointer?, _ length: Int, _ options: UnsafePointer<blan_decode_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let decoder = ImageDecoder(limit: try blan_decode_options.read(options).maximum_pixels)
    return BitmapHandle(try decoder.decode(borrowed(bytes, length, "bytes"))).retained()
  }
}

@_cdecl("blan_bitmap_image")
public func bitmapImage(_ bitmap: OpaquePointer?) -> blan_image {
  guard let image = BitmapHandle.optional(bitmap)?.image else { return blan_image() }
  return blan_image(
    data: image.pixels.pointer, width: Int32(clamping: image.width), height: Int32(clamping: image.height),
    row_stride: Int64(image.width * 3), format: blan_pixel_format(BLAN_PIXEL_RGB8))
}

@_cdecl("blan_bitmap_free")
public func bitmapFree(_ bitmap: OpaquePointer?) { BitmapHandle.free(bitmap) }

@_cdecl("blan_align_face")
public func alignFace(
  _ image: UnsafePointer<blan_image>?, _ landmarks: UnsafePointer<Float>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> blan_status {
  guarded(out) {
    let view = try ImageView(required(image, "image").pointee)
    let numbers = try required(landmarks, "landmarks")
    let points = FaceAlignment.template.indices.map { index in
      FaceAlignment.Point(Double(numbers[2 * index]), Double(numbers[2 * index + 1]))
    }
    let aligned = try FaceAlignment.align(view, landmarks: points, threads: 1)
    return BitmapHandle(aligned).retained()
  }
}

@_cdecl("blan_preprocess")
public func preprocess(
  _ model: OpaquePointer?, _ image: UnsafePointer<blan_image>?, _ pixels: UnsafeMutablePointer<Float>?
) -> blan_status {
  guarded {
    let model = try ModelHandle.required(model, "model").model
    try model.preprocess(ImageView(required(image, "image").pointee), into: required(pixels, "pixels"))
  }
}

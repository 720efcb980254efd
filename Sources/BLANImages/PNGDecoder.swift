import BLANTensors
import CPNG

/// PNG through libspng.
struct PNGDecoder {
  let name: String
  let decoder: ImageDecoder

  func decode(_ bytes: UnsafeRawBufferPointer) throws -> Image {
    guard let context = spng_ctx_new(0) else { throw BLANError.outOfMemory("no memory to decode \(name)") }
    defer { spng_ctx_free(context) }
    try check(spng_set_png_buffer(context, bytes.baseAddress, bytes.count))
    // Text and profiles are of no use here: a small allowance, so that they cannot fill the memory.
    try check(spng_set_chunk_limits(context, 16 << 20, 64 << 20))
    var header = spng_ihdr()
    try check(spng_get_ihdr(context, &header))
    try decoder.check(width: Int(header.width), height: Int(header.height), name: name)
    let image = try Image(width: Int(header.width), height: Int(header.height))
    try check(spng_decode_image(context, image.pixels.pointer, image.pixels.count, Int32(SPNG_FMT_RGB8.rawValue), 0))
    var exif = spng_exif()
    guard spng_get_exif(context, &exif) == 0, let data = exif.data else { return image }
    return try EXIF.orientation(inTIFF: UnsafeRawBufferPointer(start: data, count: exif.length)).apply(to: image)
  }

  private func check(_ status: Int32) throws {
    guard status != 0 else { return }
    let text = spng_strerror(status).map { String(cString: $0) } ?? "error \(status)"
    if status == Int32(SPNG_EMEM.rawValue) { throw BLANError.outOfMemory("no memory to decode \(name)") }
    throw BLANError.format("\(name) is damaged: \(text)")
  }
}

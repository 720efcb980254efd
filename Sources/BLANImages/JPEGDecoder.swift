import BLANTensors
import CJPEG

/// JPEG through libjpeg-turbo.
struct JPEGDecoder {
  let name: String
  let decoder: ImageDecoder

  func decode(_ bytes: UnsafeRawBufferPointer) throws -> Image {
    guard let handle = tjInitDecompress() else { throw BLANError.outOfMemory("no memory to decode \(name)") }
    defer { tjDestroy(handle) }
    let data = bytes.bindMemory(to: UInt8.self).baseAddress
    var width: Int32 = 0
    var height: Int32 = 0
    var subsampling: Int32 = 0
    var colour: Int32 = 0
    guard tjDecompressHeader3(handle, data, UInt(bytes.count), &width, &height, &subsampling, &colour) == 0 else {
      throw BLANError.format("\(name) is damaged: \(message(handle))")
    }
    try decoder.check(width: Int(width), height: Int(height), name: name)
    let isCMYK = colour == Int32(TJCS_CMYK.rawValue) || colour == Int32(TJCS_YCCK.rawValue)
    let image = try Image(width: Int(width), height: Int(height))
    if isCMYK {
      let inks = try AlignedBuffer<UInt8>(count: Int(width) * Int(height) * 4, purpose: name)
      try decompress(handle, data, bytes.count, to: inks.pointer, width, height, TJPF_CMYK)
      Self.convert(inks, to: image)
    } else {
      try decompress(handle, data, bytes.count, to: image.pixels.pointer, width, height, TJPF_RGB)
    }
    return try EXIF.orientation(inJPEG: bytes).apply(to: image)
  }

  private func decompress(
    _ handle: tjhandle, _ data: UnsafePointer<UInt8>?, _ count: Int, to pixels: UnsafeMutablePointer<UInt8>,
    _ width: Int32, _ height: Int32, _ format: TJPF
  ) throws {
    // A few hundred scans are more than any encoder makes; thousands are an attack on the reader's time.
    let status = tjDecompress2(
      handle, data, UInt(count), pixels, width, 0, height, Int32(format.rawValue), TJFLAG_LIMITSCANS)
    guard status != 0 else { return }
    let text = message(handle)
    // Stray bytes between markers are common and harmless; missing data is not.
    let isHarmless = tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) && !text.lowercased().contains("premature")
    guard isHarmless else { throw BLANError.format("\(name) is damaged: \(text)") }
  }

  private func message(_ handle: tjhandle) -> String { String(cString: tjGetErrorStr2(handle)) }

  /// Adobe's CMYK, which stores inks inverted, to RGB, rounded as Pillow rounds.
  private static func convert(_ inks: AlignedBuffer<UInt8>, to image: Image) {
    for index in 0..<(image.width * image.height) {
      let black = Int(inks.pointer[4 * index + 3])
      for channel in 0..<3 {
        let product = (255 - Int(inks.pointer[4 * index + channel])) * black + 128
        image.pixels.pointer[3 * index + channel] = UInt8(truncatingIfNeeded: black - ((product >> 8) + product) >> 8)
      }
    }
  }
}

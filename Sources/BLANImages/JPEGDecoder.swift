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
    let status = tjDecompressHeader3(handle, data, UInt(bytes.count), &width, &height, &subsampling, &colour)
    try check(status, handle, bytes)
    try decoder.check(width: Int(width), height: Int(height), name: name)
    let isCMYK = colour == Int32(TJCS_CMYK.rawValue) || colour == Int32(TJCS_YCCK.rawValue)
    let image = try Image(width: Int(width), height: Int(height))
    if isCMYK {
      let inks = try AlignedBuffer<UInt8>(count: Int(width) * Int(height) * 4, purpose: name)
      try decompress(handle, bytes, to: inks.pointer, width, height, TJPF_CMYK)
      Self.convert(inks, to: image)
    } else {
      try decompress(handle, bytes, to: image.pixels.pointer, width, height, TJPF_RGB)
    }
    return try EXIF.orientation(inJPEG: bytes).apply(to: image)
  }

  private func decompress(
    _ handle: tjhandle, _ bytes: UnsafeRawBufferPointer, to pixels: UnsafeMutablePointer<UInt8>, _ width: Int32,
    _ height: Int32, _ format: TJPF
  ) throws {
    // A few hundred scans are more than any encoder makes; thousands are an attack on the reader's time.
    let status = tjDecompress2(
      handle, bytes.bindMemory(to: UInt8.self).baseAddress, UInt(bytes.count), pixels, width, 0, height,
      Int32(format.rawValue), TJFLAG_LIMITSCANS)
    try check(status, handle, bytes)
  }

  /// Warnings of what leaves the picture whole, as libjpeg-turbo words them.
  private static let harmless = [
    "extraneous bytes before marker", "unknown JFIF revision", "Unknown Adobe color transform", "bad ICC marker",
  ]

  /// Throws unless a call went well or only warned of something harmless.
  ///
  /// The text is all there is to go by: once it has warned, libjpeg-turbo reports an error as a warning, too, and of
  /// several warnings it keeps the first. That one may hide that the data end too early, which the marker at the end
  /// tells instead.
  private func check(_ status: Int32, _ handle: tjhandle, _ bytes: UnsafeRawBufferPointer) throws {
    guard status != 0 else { return }
    let text = String(cString: tjGetErrorStr2(handle))
    let isHarmless = Self.harmless.contains { text.contains($0) } && Self.isComplete(bytes)
    guard !text.contains("Insufficient memory") else { throw BLANError.outOfMemory("no memory to decode \(name)") }
    guard isHarmless else { throw BLANError.format("\(name) is damaged: \(text)") }
  }

  /// True when an end-of-image marker follows the last start of a scan.
  private static func isComplete(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for place in stride(from: bytes.count - 2, through: 0, by: -1) where bytes[place] == 0xff {
      if bytes[place + 1] == 0xd9 { return true }
      if bytes[place + 1] == 0xda { return false }
    }
    return false
  }

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

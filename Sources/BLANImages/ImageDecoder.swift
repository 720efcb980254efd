import BLANTensors
import Glibc

/// Decodes JPEG and PNG to upright RGB8, as Pillow's `exif_transpose` and `convert("RGB")` do: alpha is dropped,
/// 16-bit samples keep their high byte, palettes and CMYK are resolved. (Pillow itself clips 16-bit grey images
/// instead of scaling them; libblan scales them.)
public struct ImageDecoder: Sendable {
  /// Pillow's limit against decompression bombs, 2 x 0x15555555 / 4.
  public static let defaultMaximumPixels = 178_956_970

  /// A larger image is refused before it is decoded.
  public let maximumPixels: Int

  public init(maximumPixels: Int = defaultMaximumPixels) { self.maximumPixels = maximumPixels }

  /// - Throws: `BLANError.io`, `.format` (damaged), `.unsupported` (another kind of file), `.invalidArgument` (too
  ///   large), `.outOfMemory`; each names the file.
  public func decode(path: UnsafePointer<CChar>) throws -> Image {
    let name = String(cString: path)
    let file = try FileBytes(path: path, name: name)
    return try decode(file.bytes, name: name)
  }

  /// - Parameter name: what errors call the image.
  public func decode(_ bytes: UnsafeRawBufferPointer, name: String = "the image in memory") throws -> Image {
    if bytes.starts(with: [0xff, 0xd8]) { return try JPEGDecoder(name: name, decoder: self).decode(bytes) }
    if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) { return try PNGDecoder(name: name, decoder: self).decode(bytes) }
    guard !bytes.isEmpty else { throw BLANError.format("\(name) is empty") }
    throw BLANError.unsupported("\(name) is neither a JPEG nor a PNG file")
  }

  func check(width: Int, height: Int, name: String) throws {
    let (area, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0 else { throw BLANError.format("\(name) has no pixels: \(width)x\(height)") }
    guard !overflow, area <= maximumPixels else {
      throw BLANError.invalidArgument(
        "\(name) has \(width)x\(height) pixels; the limit is \(maximumPixels) (maximum_pixels)")
    }
  }
}

/// A file read whole into memory.
private final class FileBytes {
  let bytes: UnsafeRawBufferPointer
  private let buffer: AlignedBuffer<UInt8>

  init(path: UnsafePointer<CChar>, name: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw BLANError.io("cannot open \(name): \(systemError())") }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw BLANError.io("cannot read \(name): \(systemError())") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw BLANError.io("\(name) is not a regular file") }
    buffer = try AlignedBuffer(count: Int(status.st_size), purpose: name)
    var count = 0
    while count < buffer.count {
      let got = read(file, buffer.pointer + count, buffer.count - count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw BLANError.io("cannot read \(name): \(systemError())") }
      if got == 0 { break }
      count += got
    }
    bytes = UnsafeRawBufferPointer(start: buffer.pointer, count: count)
  }
}

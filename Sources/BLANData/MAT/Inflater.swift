import BLANTensors
import CZLIB

/// Undoes zlib's compression.
enum Inflater {
  /// - Parameters:
  ///   - limit: more bytes than this are refused: a few kilobytes can stand for gigabytes.
  ///   - place: what errors call the stream.
  /// - Throws: `BLANError.format` for a damaged, cut or too long stream; `.outOfMemory`.
  static func inflate(_ bytes: UnsafeRawBufferPointer, limit: Int, place: String) throws -> [UInt8] {
    guard bytes.count <= Int(UInt32.max) else { throw BLANError.format("\(place): the compressed data are too long") }
    var stream = z_stream()
    let code = inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { throw BLANError.outOfMemory("\(place): no memory to decompress: zlib says \(code)") }
    defer { inflateEnd(&stream) }
    stream.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(bytes.count)
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let code = chunk.withUnsafeMutableBufferPointer { chunk in
        stream.next_out = chunk.baseAddress
        stream.avail_out = UInt32(chunk.count)
        return CZLIB.inflate(&stream, Z_NO_FLUSH)
      }
      guard code == Z_OK || code == Z_STREAM_END else {
        throw BLANError.format("\(place): the compressed data are damaged or cut: zlib says \(code)")
      }
      output += chunk[..<(chunk.count - Int(stream.avail_out))]
      guard output.count <= limit else {
        throw BLANError.format("\(place): the compressed data stand for more than \(limit) bytes")
      }
      if code == Z_STREAM_END { return output }
    }
  }
}

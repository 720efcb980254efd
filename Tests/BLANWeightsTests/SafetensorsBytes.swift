/// Safetensors files put together by hand, right and wrong.
enum SafetensorsBytes {
  /// A file of a header's text and data; `length` is what the file claims of the header.
  static func file(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    let claimed = length ?? UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: claimed >> (8 * $0)) } + text + [UInt8](repeating: 0, count: data)
  }

  static func entry(_ name: String, _ dtype: String, _ shape: String, _ from: String, _ to: String) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(from),\(to)]}"
  }
}

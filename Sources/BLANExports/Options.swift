import BLANTensors

/// An options struct of the header: it begins with its size, so that older and newer callers stay valid.
protocol Options {
  /// What BLAN_X_OPTIONS_INIT gives.
  static var defaults: Self { get }
}

extension Options {
  /// The caller's options over the defaults.
  ///
  /// A smaller struct leaves the fields that it does not know at their defaults. A larger one, of a caller built
  /// against a newer header, is accepted as long as what this library does not know is zero.
  ///
  /// - Throws: `BLANError.invalidArgument` for a size that no header ever had, `.unsupported` for unknown options.
  static func read(_ pointer: UnsafePointer<Self>?) throws -> Self {
    var options = defaults
    guard let pointer else { return options }
    let source = UnsafeRawPointer(pointer)
    let claimed = source.load(as: Int.self)
    guard claimed >= MemoryLayout<Int>.size, claimed <= 4096 else {
      throw BLANError.invalidArgument(
        "struct_size is \(claimed); expected \(MemoryLayout<Self>.size): initialise options with their _INIT macro")
    }
    let known = MemoryLayout<Self>.size
    withUnsafeMutableBytes(of: &options) { bytes in
      bytes.copyMemory(from: UnsafeRawBufferPointer(start: source, count: min(claimed, known)))
    }
    if claimed > known {
      let unknown = UnsafeRawBufferPointer(start: source + known, count: claimed - known)
      guard unknown.allSatisfy({ $0 == 0 }) else {
        throw BLANError.unsupported(
          "the options have \(claimed) bytes, of which this version of the library knows \(known)")
      }
    }
    return options
  }
}

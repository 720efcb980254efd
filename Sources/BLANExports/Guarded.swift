import BLANTensors
import CBLAN
import CBLANSupport

/// Runs the body of an exported function, in the default floating-point environment whatever the caller's is, and turns
/// what it throws into a status and `blan_last_error`'s text.
///
/// A body that had to live on the reserve of memory has failed, however far it came: `undo` gives back what it made.
func guarded(undo: () -> Void = {}, _ body: () throws -> Void) -> blan_status {
  var floatingPoint = blan_s_floating_point_enter()
  defer { blan_s_floating_point_leave(&floatingPoint) }
  let reserveUses = blan_s_reserve_uses()
  do {
    try body()
    guard blan_s_reserve_uses() == reserveUses else {
      undo()
      throw BLANError.outOfMemory("no memory was left for what the call had to make")
    }
    return blan_status(BLAN_OK)
  } catch {
    let failure = error as? BLANError ?? .internal("\(error)")
    setLastError(failure.message)
    return failure.kind.rawValue
  }
}

/// `guarded` for functions that make a handle: `out` is NULL unless `make` succeeds.
func guarded(_ out: UnsafeMutablePointer<OpaquePointer?>?, _ make: () throws -> OpaquePointer) -> blan_status {
  out?.pointee = nil
  return guarded(
    undo: { release(out) },
    {
      let out = try required(out, "out")
      out.pointee = try make()
    })
}

/// Frees the handle that `out` points to and leaves NULL.
func release(_ out: UnsafeMutablePointer<OpaquePointer?>?) {
  release(out?.pointee)
  out?.pointee = nil
}

func setLastError(_ message: String) {
  var message = message
  message.withUTF8 { text in
    text.withMemoryRebound(to: CChar.self) { blan_s_set_last_error($0.baseAddress, $0.count) }
  }
}

/// The argument, or an error that names it where the caller passed NULL.
func required<Value>(_ value: Value?, _ name: String) throws -> Value {
  guard let value else { throw BLANError.invalidArgument("\(name) is NULL") }
  return value
}

/// The caller's bytes, read while the caller keeps them. A size_t beyond Int's range, negative here, counts as none.
func borrowed(_ bytes: UnsafeRawPointer?, _ length: Int, _ name: String) throws -> UnsafeRawBufferPointer {
  UnsafeRawBufferPointer(start: try required(bytes, name), count: max(length, 0))
}

/// The path of a file to read, byte for byte: names on Linux need not be UTF-8.
func readablePath(_ argument: UnsafePointer<CChar>?, _ name: String) throws -> UnsafePointer<CChar> {
  let bytes = try required(argument, name)
  guard bytes.pointee != 0 else { throw BLANError.invalidArgument("\(name) is empty") }
  return bytes
}

/// A path as text, which must be UTF-8.
func path(_ argument: UnsafePointer<CChar>?, _ name: String) throws -> String {
  try text(readablePath(argument, name), name)
}

/// A text, which must be UTF-8.
func text(_ argument: UnsafePointer<CChar>?, _ name: String) throws -> String {
  guard let text = String(validatingCString: try required(argument, name)) else {
    throw BLANError.invalidArgument("\(name) is not UTF-8")
  }
  return text
}

/// The element, or nil past the end.
func element<Element>(_ array: [Element]?, _ index: Int) -> Element? {
  guard let array, array.indices.contains(index) else { return nil }
  return array[index]
}

/// A list of names, which must be UTF-8; nil for NULL.
func names(
  _ argument: UnsafePointer<UnsafePointer<CChar>?>?, count: Int, _ name: String, countName: String, most: Int
) throws -> [String]? {
  guard let argument else { return nil }
  guard (1...most).contains(count) else {
    throw BLANError.invalidArgument("\(countName) is \(UInt(bitPattern: count)); expected 1 to \(most)")
  }
  return try (0..<count).map { index in
    guard let text = String(validatingCString: try required(argument[index], "\(name)[\(index)]")) else {
      throw BLANError.invalidArgument("\(name)[\(index)] is not UTF-8")
    }
    return text
  }
}

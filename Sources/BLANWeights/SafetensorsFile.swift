import BLANTensors
import FoundationEssentials

/// A safetensors file, mapped and fully checked: header length, JSON, element types, shapes, offsets, overlaps, holes.
/// Reading a tensor afterwards cannot leave the file.
///
/// Layout: 8 bytes, the header's length N (little endian); N bytes of JSON; the tensors' bytes.
public final class SafetensorsFile: TensorSource, Sendable {
  /// Where one tensor lies.
  public struct Tensor: Sendable {
    public let type: ElementType
    public let shape: [Int]
    /// Bytes from the start of the file.
    let range: Range<Int>
  }

  public static let largestHeader = 100_000_000

  /// What errors call the file.
  public let name: String
  public let metadata: [String: String]
  public let tensors: [String: Tensor]
  private let storage: MappedBytes

  /// - Throws: `BLANError.io` when the file cannot be read, `.format` or `.unsupported` when it is not as it should be.
  public convenience init(path: UnsafePointer<CChar>) throws {
    let name = String(cString: path)
    try self.init(MappedBytes(path: path, name: name), name: name)
  }

  /// Reads from memory, which must stay as it is for the lifetime of this object.
  public convenience init(borrowing bytes: UnsafeRawBufferPointer, name: String = "the model in memory") throws {
    try self.init(MappedBytes(borrowing: bytes), name: name)
  }

  private init(_ storage: MappedBytes, name: String) throws {
    self.storage = storage
    self.name = name
    let bytes = storage.bytes
    guard bytes.count >= 8 else {
      throw BLANError.format("\(name) has \(bytes.count) bytes; a safetensors file has at least 8")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(min(Self.largestHeader, bytes.count - 8)) else {
      throw BLANError.format(
        """
        \(name) is not a safetensors file, or was cut off: its header claims \(length) bytes, but \(bytes.count - 8) \
        follow and \(Self.largestHeader) are allowed
        """
      )
    }
    let dataStart = 8 + Int(length)
    let header = try Self.parse(UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]), name)
    metadata = header.metadata
    tensors = try Self.check(header.entries, dataStart: dataStart, end: bytes.count, name)
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer, _ name: String) throws -> SafetensorsHeader {
    guard bytes.first == UInt8(ascii: "{") else {
      throw BLANError.format("\(name) is not a safetensors file: its header is not a JSON object")
    }
    do {
      return try JSONDecoder().decode(SafetensorsHeader.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw BLANError.format("\(name): the header is not valid: \(error.summary)")
    } catch {
      throw BLANError.format("\(name): the header is not valid JSON")
    }
  }

  private static func check(
    _ entries: [String: SafetensorsHeader.Entry], dataStart: Int, end: Int, _ name: String
  ) throws -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (key, entry) in entries {
      guard let type = ElementType(rawValue: entry.dtype) else {
        throw BLANError.unsupported("\(name): tensor \"\(key)\" has elements of type \(entry.dtype.prefix(16))")
      }
      guard entry.offsets.count == 2, entry.offsets[0] >= 0, entry.offsets[0] <= entry.offsets[1],
        entry.offsets[1] <= end - dataStart
      else {
        throw BLANError.format(
          "\(name): tensor \"\(key)\" claims bytes \(entry.offsets.prefix(4)) of \(end - dataStart)")
      }
      guard let size = byteCount(entry.shape, type), size == entry.offsets[1] - entry.offsets[0] else {
        throw BLANError.format(
          "\(name): tensor \"\(key)\" of shape \(entry.shape.prefix(8)) and type \(type.rawValue) does not fill its "
            + "\(entry.offsets[1] - entry.offsets[0]) bytes")
      }
      tensors[key] = Tensor(
        type: type, shape: entry.shape, range: (dataStart + entry.offsets[0])..<(dataStart + entry.offsets[1]))
    }
    try checkCoverage(tensors, dataStart: dataStart, end: end, name)
    return tensors
  }

  /// Tensors must follow each other without holes or overlaps and reach the end of the file.
  private static func checkCoverage(_ tensors: [String: Tensor], dataStart: Int, end: Int, _ name: String) throws {
    var reached = dataStart
    for (key, tensor) in tensors.sorted(by: {
      ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key)
        < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
    }) {
      guard tensor.range.lowerBound == reached else {
        throw BLANError.format(
          "\(name): tensor \"\(key)\" begins at byte \(tensor.range.lowerBound - dataStart) of the data where "
            + "\(reached - dataStart) was expected: the file has a hole or an overlap")
      }
      reached = tensor.range.upperBound
    }
    guard reached == end else {
      throw BLANError.format("\(name): \(end - reached) bytes follow the last tensor")
    }
  }

  static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
    var count = type.size
    for dimension in shape {
      guard dimension >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      count = product
    }
    return count
  }

  // MARK: - Reading

  public func withTensor<Result>(
    _ tensorName: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    let tensor = try find(tensorName)
    guard tensor.shape == shape else {
      throw BLANError.shape("\(name): tensor \"\(tensorName)\" has shape \(tensor.shape); expected \(shape)")
    }
    guard tensor.type.isFloatingPoint else {
      throw BLANError.format(
        "\(name): tensor \"\(tensorName)\" has elements of type \(tensor.type.rawValue), not floats")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[tensor.range])
    defer { storage.release(tensor.range) }
    if tensor.type == .float32, bytes.isAligned(to: Float.self) {
      return try body(bytes.bindMemory(to: Float.self))
    }
    let converted = try AlignedBuffer<Float>(count: bytes.count / tensor.type.size, purpose: tensorName)
    Self.convert(bytes, tensor.type, to: converted.elements)
    return try body(UnsafeBufferPointer(converted.elements))
  }

  /// The raw bytes of a tensor of the given type.
  public func withBytes<Result>(
    _ tensorName: String, type: ElementType, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let tensor = try find(tensorName)
    guard tensor.type == type else {
      throw BLANError.format(
        "\(name): tensor \"\(tensorName)\" has elements of type \(tensor.type.rawValue); expected \(type.rawValue)")
    }
    return try body(UnsafeRawBufferPointer(rebasing: storage.bytes[tensor.range]))
  }

  /// - Throws: `BLANError.format` where there is no such tensor.
  public func type(of tensorName: String) throws -> ElementType { try find(tensorName).type }

  private func find(_ tensorName: String) throws -> Tensor {
    guard let tensor = tensors[tensorName] else {
      throw BLANError.format("\(name) has no tensor \"\(tensorName)\"")
    }
    return tensor
  }

  private static func convert(
    _ bytes: UnsafeRawBufferPointer, _ type: ElementType, to floats: UnsafeMutableBufferPointer<Float>
  ) {
    for index in 0..<floats.count {
      switch type {
      case .float32: floats[index] = bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
      case .float16:
        floats[index] = HalfPrecision.float(
          fromFloat16: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
      case .bfloat16:
        floats[index] = HalfPrecision.float(
          fromBFloat16: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
      case .int64, .int8, .uint8: break  // refused before
      }
    }
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func isAligned<T>(to type: T.Type) -> Bool {
    Int(bitPattern: baseAddress) % MemoryLayout<T>.alignment == 0
  }
}

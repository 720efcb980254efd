import BLANTensors
import FoundationEssentials

/// Writes safetensors files, atomically (see ``AtomicFile``), with tensors in the order given.
public enum SafetensorsWriter {
  /// Receives a tensor's bytes, in one or more pieces.
  public typealias Sink = (UnsafeRawBufferPointer) throws -> Void

  public struct Tensor {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    let content: (Sink) throws -> Void

    /// A tensor whose bytes `content` hands out while the file is written: exactly as many as shape and type say.
    public init(
      _ name: String, type: ElementType, shape: [Int], content: @escaping (_ sink: Sink) throws -> Void
    ) {
      self.name = name
      self.type = type
      self.shape = shape
      self.content = content
    }

    /// Floats of a source, stored as `type` (f32, f16 or bf16; rounded to nearest, ties to even).
    public init(_ name: String, from source: some TensorSource, shape: [Int], as type: ElementType = .float32) {
      self.init(name, type: type, shape: shape) { sink in
        try source.withTensor(name, shape: shape) { values in
          switch type {
          case .float16: try Self.convert(values, HalfPrecision.float16, sink)
          case .bfloat16: try Self.convert(values, HalfPrecision.bfloat16, sink)
          default: try sink(UnsafeRawBufferPointer(values))
          }
        }
      }
    }

    private static func convert(
      _ values: UnsafeBufferPointer<Float>, _ convert: (Float) -> UInt16, _ sink: Sink
    ) throws {
      let piece = 65536
      var converted: [UInt16] = []
      converted.reserveCapacity(min(piece, values.count))
      for start in stride(from: 0, to: values.count, by: piece) {
        converted.removeAll(keepingCapacity: true)
        for index in start..<min(start + piece, values.count) { converted.append(convert(values[index]).littleEndian) }
        try converted.withUnsafeBytes(sink)
      }
    }
  }

  private struct Entry: Encodable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  /// - Throws: `BLANError.io` naming the path and the reason; `.invalidArgument` for a shape that overflows.
  public static func write(_ tensors: [Tensor], metadata: [String: String], to path: String) throws {
    let (header, sizes) = try makeHeader(tensors, metadata: metadata)
    try AtomicFile.write(to: path) { file in
      var length = UInt64(header.count).littleEndian
      try withUnsafeBytes(of: &length) { try file.write($0) }
      try header.withUnsafeBytes { try file.write($0) }
      for (tensor, size) in zip(tensors, sizes) {
        var written = 0
        // The sink cannot capture an inout parameter, so pieces pass through a pointer to it.
        try withUnsafeMutablePointer(to: &file) { target in
          try tensor.content { bytes in
            written += bytes.count
            try target.pointee.write(bytes)
          }
        }
        guard written == size else {
          throw BLANError.internal("tensor \"\(tensor.name)\" gave \(written) bytes where \(size) were announced")
        }
      }
    }
  }

  /// The JSON header, padded with spaces to a multiple of 8 bytes, and each tensor's size.
  private static func makeHeader(
    _ tensors: [Tensor], metadata: [String: String]
  ) throws -> (header: [UInt8], sizes: [Int]) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var header = Array("{\"__metadata__\":".utf8)
    header += try encoder.encode(metadata)
    var offset = 0
    var sizes: [Int] = []
    for tensor in tensors {
      guard let size = SafetensorsFile.byteCount(tensor.shape, tensor.type),
        !offset.addingReportingOverflow(size).overflow
      else { throw BLANError.invalidArgument("tensor \"\(tensor.name)\" of shape \(tensor.shape) is too large") }
      header += Array(",".utf8)
      header += try encoder.encode(tensor.name)
      header += Array(":".utf8)
      header += try encoder.encode(
        Entry(dtype: tensor.type.rawValue, shape: tensor.shape, offsets: [offset, offset + size]))
      offset += size
      sizes.append(size)
    }
    header.append(UInt8(ascii: "}"))
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    return (header, sizes)
  }
}

import BLANTensors

/// Element types of a safetensors file that libblan reads.
public enum ElementType: String, Sendable {
  case float32 = "F32"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int64 = "I64"
  case int8 = "I8"
  case uint8 = "U8"

  public var size: Int {
    switch self {
    case .float32: return 4
    case .float16, .bfloat16: return 2
    case .int64: return 8
    case .int8, .uint8: return 1
    }
  }

  public var isFloatingPoint: Bool { self == .float32 || self == .float16 || self == .bfloat16 }
}

/// Conversions between 16-bit floats and `Float`, exact upwards and rounding to nearest, ties to even, downwards.
public enum HalfPrecision {
  @inlinable public static func float(fromBFloat16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  @inlinable public static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16((bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
  }

  @inlinable public static func float(fromFloat16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits & 0x3ff)
    if exponent == 0x1f { return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13) }
    if exponent == 0 {
      // Subnormal: fraction · 2^-24.
      let magnitude = Float(fraction) * 0x1p-24
      return sign == 0 ? magnitude : -magnitude
    }
    return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }

  @inlinable public static func float16(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = abs(value)
    if value.isNaN { return sign | 0x7e00 }
    if magnitude >= 65520 { return sign | 0x7c00 }
    if magnitude < 0x1p-14 {
      // Adding 0.5 leaves the fraction in units of 2^-24 in the lowest bits, rounded to even by the addition.
      return sign | UInt16(truncatingIfNeeded: (magnitude + 0.5).bitPattern & 0x7ff)
    }
    let bits = magnitude.bitPattern
    return sign | UInt16(truncatingIfNeeded: (bits &- 0x3800_0000 &+ 0xfff &+ ((bits >> 13) & 1)) >> 13)
  }
}

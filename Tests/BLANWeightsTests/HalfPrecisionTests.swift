import Glibc
import Testing

@testable import BLANWeights

/// Every 16-bit pattern against the formats' definitions, and roundings against an exhaustive search of neighbours.
@Suite struct HalfPrecisionTests {
  /// (-1)^s · m · 2^e by the definition of a binary format with `exponentBits` and `fractionBits`, in Double.
  private func value(_ bits: UInt16, exponentBits: Int, fractionBits: Int) -> Double {
    let sign = bits >> 15 == 1 ? -1.0 : 1.0
    let exponent = Int(bits >> fractionBits) & ((1 << exponentBits) - 1)
    let fraction = Double(Int(bits) & ((1 << fractionBits) - 1))
    let bias = (1 << (exponentBits - 1)) - 1
    if exponent == (1 << exponentBits) - 1 { return fraction == 0 ? sign * .infinity : .nan }
    let significand = exponent == 0 ? fraction : fraction + pow(2, Double(fractionBits))
    return sign * significand * pow(2, Double(max(exponent, 1) - bias - fractionBits))
  }

  private func same(_ a: Float, _ b: Double) -> Bool {
    a.isNaN ? b.isNaN : Double(a) == b && a.sign == b.sign
  }

  @Test func everyPatternMeansWhatItsFormatSays() {
    var wrong: [UInt16] = []
    for bits in UInt16.min...UInt16.max {
      let half = HalfPrecision.float(fromFloat16: bits)
      let brain = HalfPrecision.float(fromBFloat16: bits)
      if !same(half, value(bits, exponentBits: 5, fractionBits: 10)) { wrong.append(bits) }
      if !same(brain, value(bits, exponentBits: 8, fractionBits: 7)) { wrong.append(bits) }
    }
    #expect(wrong.isEmpty)
  }

  @Test func everyPatternSurvivesTheWayUpAndDown() {
    var wrong: [UInt16] = []
    for bits in UInt16.min...UInt16.max {
      let half = HalfPrecision.float(fromFloat16: bits)
      let brain = HalfPrecision.float(fromBFloat16: bits)
      let halfBack = HalfPrecision.float16(half)
      let brainBack = HalfPrecision.bfloat16(brain)
      let isSame =
        (half.isNaN ? HalfPrecision.float(fromFloat16: halfBack).isNaN : halfBack == bits)
        && (brain.isNaN ? HalfPrecision.float(fromBFloat16: brainBack).isNaN : brainBack == bits)
      if !isSame { wrong.append(bits) }
    }
    #expect(wrong.isEmpty)
  }

  /// Between two neighbours: below the middle, the middle (to even), above it; for every pair of finite numbers.
  @Test func roundingIsToTheNearestTiesToEven() {
    var wrong: [UInt16] = []
    /// True when the middle of `low` and its successor goes to the even one and its neighbours to the nearer one.
    func rounds(_ convert: (Float) -> UInt16, _ middle: Float, _ low: UInt16) -> Bool {
      let even = low % 2 == 0 ? low : low + 1
      return convert(middle) == even && convert(middle.nextDown) == low && convert(middle.nextUp) == low + 1
        && convert(-middle) == even | 0x8000
    }
    for low in UInt16.min..<0x7f7f {
      let brains = (HalfPrecision.float(fromBFloat16: low), HalfPrecision.float(fromBFloat16: low + 1))
      // The sum of the two largest is beyond Float.
      let middle = Float((Double(brains.0) + Double(brains.1)) / 2)
      if !rounds(HalfPrecision.bfloat16, middle, low) { wrong.append(low) }
      guard low < 0x7bff else { continue }
      let halves = (HalfPrecision.float(fromFloat16: low), HalfPrecision.float(fromFloat16: low + 1))
      if !rounds(HalfPrecision.float16, (halves.0 + halves.1) / 2, low) { wrong.append(low) }
    }
    #expect(wrong.isEmpty)
  }

  @Test func whatIsTooLargeBecomesInfinite() {
    #expect(HalfPrecision.float16(65519.996) == 0x7bff)
    #expect(HalfPrecision.float16(65520) == 0x7c00)
    #expect(HalfPrecision.float16(-1e30) == 0xfc00)
    #expect(HalfPrecision.float16(.infinity) == 0x7c00)
    #expect(HalfPrecision.bfloat16(.greatestFiniteMagnitude) == 0x7f80)
    #expect(HalfPrecision.bfloat16(-.infinity) == 0xff80)
    #expect(HalfPrecision.float16(0x1p-25) == 0)
    #expect(HalfPrecision.float16((0x1p-25 as Float).nextUp) == 1)
  }
}

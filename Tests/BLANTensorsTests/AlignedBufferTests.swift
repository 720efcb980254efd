import Testing

@testable import BLANTensors

@Suite struct AlignedBufferTests {
  @Test func memoryIsZeroAndAlignedToACacheLine() throws {
    let buffer = try AlignedBuffer<Float>(count: 1000)
    #expect(Int(bitPattern: buffer.pointer) % 64 == 0)
    #expect(buffer.elements.allSatisfy { $0 == 0 })
  }

  @Test func absurdSizesAreRefusedNotTrapped() {
    #expect(throws: BLANError.self) { try AlignedBuffer<Float>(count: -1) }
    #expect(throws: BLANError.self) { try AlignedBuffer<Double>(count: .max) }
    #expect(throws: BLANError.self) { try AlignedBuffer<UInt8>(count: .max / 2, purpose: "a test") }
  }

  @Test func blockedSizesRoundUpToSixteenChannels() {
    #expect(TensorShape(64, 8, 8).blockedCount == 64 * 64)
    #expect(TensorShape(4, 2, 3).blockedCount == 16 * 6)
    #expect(ChannelBlock.padded(17) == 32)
  }
}

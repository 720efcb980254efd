import BLANTensors
import CBLANKernels
import Testing

@Suite struct LinearTests {
  @Test(arguments: [(4, 3, 5), (16, 16, 8), (20, 9, 1), (64, 4, 10)])
  func forwardMatchesTheDefinition(channels: Int, area: Int, outputs: Int) throws {
    var noise = Noise(21)
    let shape = TensorShape(channels, 1, area)
    let map = try BlockedMap(shape, batch: 3, noise: &noise)
    let weights = try AlignedBuffer<Float>(count: outputs * channels * area)
    let bias = try AlignedBuffer<Float>(count: outputs)
    noise.fill(weights)
    noise.fill(bias)
    let packed = try AlignedBuffer<Float>(count: blan_k_linear_padded_outputs(outputs) * shape.blockedCount)
    blan_k_linear_pack(weights.pointer, outputs, channels, area, packed.pointer, 2)
    let expected = try BlockedMap(.vector(outputs), batch: 3)
    for image in 0..<3 {
      for output in 0..<outputs {
        var sum = Double(bias.pointer[output])
        for channel in 0..<channels {
          for place in 0..<area {
            sum +=
              Double(weights.pointer[(output * channels + channel) * area + place]) * Double(map[image, channel, place])
          }
        }
        expected[image, output, 0] = Float(sum)
      }
    }
    try onEveryInstructionSet { isa in
      for threads in [1, 2, 5] as [Int32] {
        let actual = try BlockedMap(.vector(outputs), batch: 3)
        blan_k_linear_forward(
          3, shape.blockedCount, outputs, actual.pointer, ChannelBlock.padded(outputs), map.pointer, packed.pointer,
          bias.pointer, threads)
        #expect(relativeError(actual.buffer, expected.buffer) < 1e-5, "isa \(isa)")
      }
    }
  }
}

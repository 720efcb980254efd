import BLANTensors
import CBLANKernels
import Testing

@Suite struct StemTests {
  struct Case: Sendable {
    let batch: Int
    let height: Int
    let width: Int
    let outputs: Int
  }

  static let cases = [
    Case(batch: 1, height: 64, width: 64, outputs: 16), Case(batch: 2, height: 32, width: 48, outputs: 20),
    Case(batch: 3, height: 16, width: 20, outputs: 4), Case(batch: 1, height: 96, width: 64, outputs: 64),
  ]

  @Test(arguments: cases) func forwardAndPoolMatchTheReference(c: Case) throws {
    var noise = Noise(5)
    var shape = blan_k_stem_shape(batch: c.batch, height: c.height, width: c.width, out_channels: c.outputs)
    let pixels = try AlignedBuffer<Float>(count: c.batch * 3 * c.height * c.width)
    let weights = try AlignedBuffer<Float>(count: c.outputs * 147)
    for buffer in [pixels, weights] { noise.fill(buffer) }
    let scale = try AlignedBuffer<Double>(count: c.outputs)
    for index in 0..<c.outputs { scale.pointer[index] = Double(noise.next()) }
    let bias = try BlockedMap(.vector(c.outputs), batch: 1, noise: &noise)
    let output = TensorShape(c.outputs, c.height / 2, c.width / 2)
    let pooledShape = TensorShape(c.outputs, c.height / 4, c.width / 4)
    let expected = try BlockedMap(output, batch: c.batch)
    blan_k_stem_forward_reference(
      &shape, expected.pointer, pixels.pointer, weights.pointer, scale.pointer, bias.pointer)
    let pooled = try Self.pooled(expected)
    try onEveryInstructionSet { isa in
      for threads in [1, 2, 5] as [Int32] {
        let packed = try AlignedBuffer<Float>(count: blan_k_stem_packed_count(&shape))
        blan_k_stem_pack(&shape, weights.pointer, scale.pointer, packed.pointer)
        let workspace = try poisoned(
          max(blan_k_stem_workspace_count(&shape), blan_k_stem_pool_workspace_count(&shape, threads)))
        let actual = try BlockedMap(output, batch: c.batch)
        blan_k_stem_forward(
          &shape, actual.pointer, pixels.pointer, packed.pointer, bias.pointer, workspace.pointer, threads)
        #expect(relativeError(actual.buffer, expected.buffer) < 1e-5, "isa \(isa)")
        let pooledWeights = try poisoned(blan_k_stem_pool_packed_count(&shape))
        blan_k_stem_pool_pack(&shape, weights.pointer, scale.pointer, pooledWeights.pointer)
        let actualPooled = try BlockedMap(pooledShape, batch: c.batch)
        blan_k_stem_pool_forward(
          &shape, actualPooled.pointer, pixels.pointer, pooledWeights.pointer, bias.pointer, workspace.pointer, threads)
        #expect(relativeError(actualPooled.buffer, pooled.buffer) < 1e-5, "isa \(isa)")
      }
    }
  }

  /// The stem's ReLU and max-pool by plain loops.
  static func pooled(_ map: BlockedMap) throws -> BlockedMap {
    let shape = TensorShape(map.shape.channels, map.shape.height / 2, map.shape.width / 2)
    let pooled = try BlockedMap(shape, batch: map.batch)
    for image in 0..<map.batch {
      for channel in 0..<shape.channels {
        for y in 0..<shape.height {
          for x in 0..<shape.width {
            var best: Float = 0
            for row in max(0, 2 * y - 1)...(2 * y + 1) {
              for column in max(0, 2 * x - 1)...(2 * x + 1) {
                best = max(best, map[image, channel, row * map.shape.width + column])
              }
            }
            pooled[image, channel, y * shape.width + x] = best
          }
        }
      }
    }
    return pooled
  }

  @Test(arguments: cases) func weightGradientMatchesTheDefinition(c: Case) throws {
    var noise = Noise(6)
    var shape = blan_k_stem_shape(batch: c.batch, height: c.height, width: c.width, out_channels: c.outputs)
    let pixels = try AlignedBuffer<Float>(count: c.batch * 3 * c.height * c.width)
    noise.fill(pixels)
    let dOut = try BlockedMap(TensorShape(c.outputs, c.height / 2, c.width / 2), batch: c.batch, noise: &noise)
    let gradient = try AlignedBuffer<Float>(count: c.outputs * 147)
    let workspace = try poisoned(blan_k_stem_backward_weights_workspace_count(&shape))
    blan_k_stem_backward_weights(&shape, gradient.pointer, false, pixels.pointer, dOut.pointer, workspace.pointer, 2)
    // The loss Σ d_out · conv is linear in every weight: its derivative is the loss with that weight alone set to 1.
    for index in stride(from: 0, to: c.outputs * 147, by: 97) {
      let weights = try AlignedBuffer<Float>(count: c.outputs * 147)
      weights.pointer[index] = 1
      let out = try BlockedMap(dOut.shape, batch: c.batch)
      blan_k_stem_forward_reference(&shape, out.pointer, pixels.pointer, weights.pointer, nil, nil)
      var expected = 0.0
      for cell in 0..<out.buffer.count { expected += Double(out.pointer[cell]) * Double(dOut.pointer[cell]) }
      #expect(abs(Double(gradient.pointer[index]) - expected) < 1e-4 * Double(dOut.buffer.count).squareRoot())
    }
  }
}

import BLANTensors
import CBLANKernels
import Testing

@Suite struct ChainTests {
  struct Layer: Sendable {
    let inputs: Int
    let outputs: Int
    let kernel: Int
    var pool = 0
    var hasSlope = true
  }

  struct Case: Sendable {
    let layers: [Layer]
    let height: Int
    let width: Int
  }

  /// MTCNN's networks at their windows, and shapes round the edges of blocks, tiles and pools.
  static let cases = [
    Case(
      layers: [
        Layer(inputs: 3, outputs: 10, kernel: 3, pool: 2), Layer(inputs: 10, outputs: 16, kernel: 3),
        Layer(inputs: 16, outputs: 32, kernel: 3), Layer(inputs: 32, outputs: 6, kernel: 1, hasSlope: false),
      ], height: 21, width: 79),
    Case(
      layers: [
        Layer(inputs: 3, outputs: 28, kernel: 3, pool: 3), Layer(inputs: 28, outputs: 48, kernel: 3, pool: 3),
        Layer(inputs: 48, outputs: 64, kernel: 2),
      ], height: 24, width: 24),
    Case(
      layers: [
        Layer(inputs: 3, outputs: 32, kernel: 3, pool: 3), Layer(inputs: 32, outputs: 64, kernel: 3, pool: 3),
        Layer(inputs: 64, outputs: 64, kernel: 3, pool: 2), Layer(inputs: 64, outputs: 128, kernel: 2),
      ], height: 48, width: 48),
    Case(layers: [Layer(inputs: 3, outputs: 17, kernel: 5, pool: 3)], height: 6, width: 37),
    Case(layers: [Layer(inputs: 3, outputs: 33, kernel: 1, pool: 2, hasSlope: false)], height: 1, width: 1),
    Case(
      layers: [Layer(inputs: 3, outputs: 20, kernel: 2), Layer(inputs: 20, outputs: 5, kernel: 3, pool: 3)],
      height: 9, width: 13),
  ]

  @Test(arguments: cases) func forwardMatchesTheReference(c: Case) throws {
    var noise = Noise(71)
    var extent = (height: c.height, width: c.width)
    var expected = try CBLANKernelsTests.noise(3 * c.height * c.width, &noise)
    let pixels = expected
    var parameters: [Parameters] = []
    for layer in c.layers {
      let made = try Parameters(layer, noise: &noise)
      parameters.append(made)
      var described = made.described(packed: nil)
      let next = (
        height: blan_k_chain_extent(&described, extent.height), width: blan_k_chain_extent(&described, extent.width)
      )
      let out = try poisoned(layer.outputs * next.height * next.width)
      blan_k_chain_layer_reference(
        &described, out.pointer, expected.pointer, extent.height, extent.width, made.weights.pointer)
      (expected, extent) = (out, next)
    }
    let channels = c.layers[c.layers.count - 1].outputs
    let shape = TensorShape(channels, extent.height, extent.width)
    try onEveryInstructionSet { isa in
      let packed = try parameters.map { try $0.packed() }
      let layers = zip(parameters, packed).map { $0.described(packed: UnsafePointer($1.pointer)) }
      let scratch = try poisoned(blan_k_chain_scratch_count(layers, layers.count, c.height, c.width))
      let out = try BlockedMap(shape, batch: 1)
      for index in 0..<out.buffer.count { out.pointer[index] = .nan }
      var image = blan_k_chain_image(
        data: pixels.pointer, height: c.height, width: c.width, row_step: c.width, plane_step: c.height * c.width)
      blan_k_chain_forward(layers, layers.count, out.pointer, &image, scratch.pointer)
      var worst: Float = 0
      var magnitude: Float = 0
      for channel in 0..<ChannelBlock.padded(channels) {
        for place in 0..<shape.area {
          let wanted = channel < channels ? expected.pointer[channel * shape.area + place] : 0
          let difference = abs(out[0, channel, place] - wanted)
          worst = difference.isNaN ? .infinity : max(worst, difference)
          magnitude = max(magnitude, abs(wanted))
        }
      }
      #expect(worst <= 1e-5 * magnitude, "isa \(isa): \(worst) of \(magnitude)")
      #expect(magnitude > 0)
    }
  }

  /// Rows of a larger image, as a tile of it has them, give what a copy of their own does.
  @Test func anImageMayBePartOfALargerOne() throws {
    var noise = Noise(72)
    let parameters = try Parameters(Layer(inputs: 3, outputs: 16, kernel: 3, pool: 2), noise: &noise)
    let packed = try parameters.packed()
    let layers = [parameters.described(packed: UnsafePointer(packed.pointer))]
    let large = try CBLANKernelsTests.noise(3 * 20 * 30, &noise)
    let small = try AlignedBuffer<Float>(count: 3 * 8 * 9)
    for plane in 0..<3 {
      for y in 0..<8 {
        for x in 0..<9 { small.pointer[(plane * 8 + y) * 9 + x] = large.pointer[(plane * 20 + 5 + y) * 30 + 7 + x] }
      }
    }
    let scratch = try poisoned(blan_k_chain_scratch_count(layers, 1, 8, 9))
    let count = 16 * blan_k_chain_extent(layers, 8) * blan_k_chain_extent(layers, 9)
    let (a, b) = (try poisoned(count), try poisoned(count))
    var part = blan_k_chain_image(
      data: large.pointer + 5 * 30 + 7, height: 8, width: 9, row_step: 30, plane_step: 600)
    blan_k_chain_forward(layers, 1, a.pointer, &part, scratch.pointer)
    var whole = blan_k_chain_image(data: small.pointer, height: 8, width: 9, row_step: 9, plane_step: 72)
    blan_k_chain_forward(layers, 1, b.pointer, &whole, scratch.pointer)
    #expect(sameBits(a, b))
  }

  /// torch's ceil_mode: the last window may reach over the edge but begins inside the map.
  @Test func extentsAreThoseOfCeilMode() {
    var layer = blan_k_chain_layer(
      in_channels: 3, out_channels: 16, kernel: 3, pool: 3, packed: nil, bias: nil, slope: nil)
    #expect([2, 3, 4, 5, 24, 11].map { blan_k_chain_extent(&layer, $0) } == [0, 1, 1, 1, 11, 4])
    layer.pool = 2
    #expect([3, 4, 5, 12, 13].map { blan_k_chain_extent(&layer, $0) } == [1, 1, 2, 5, 6])
    layer.pool = 0
    #expect([2, 3, 12].map { blan_k_chain_extent(&layer, $0) } == [0, 1, 10])
  }

  /// A layer's parameters; slopes go beyond 1 and below 0, as a PReLU's may.
  private struct Parameters {
    let layer: Layer
    let weights: AlignedBuffer<Float>
    let bias: AlignedBuffer<Float>
    let slope: AlignedBuffer<Float>

    init(_ layer: Layer, noise: inout Noise) throws {
      self.layer = layer
      weights = try CBLANKernelsTests.noise(layer.outputs * layer.inputs * layer.kernel * layer.kernel, &noise)
      bias = try BlockedMap(.vector(layer.outputs), batch: 1, noise: &noise).buffer
      slope = try AlignedBuffer(count: bias.count)
      for index in 0..<layer.outputs { slope.pointer[index] = 1.5 * noise.next() }
    }

    func described(packed: UnsafePointer<Float>?) -> blan_k_chain_layer {
      blan_k_chain_layer(
        in_channels: layer.inputs, out_channels: layer.outputs, kernel: layer.kernel, pool: layer.pool, packed: packed,
        bias: bias.pointer, slope: layer.hasSlope ? UnsafePointer(slope.pointer) : nil)
    }

    func packed() throws -> AlignedBuffer<Float> {
      var described = described(packed: nil)
      let packed = try poisoned(blan_k_chain_packed_count(&described))
      blan_k_chain_pack(&described, weights.pointer, packed.pointer)
      return packed
    }
  }
}

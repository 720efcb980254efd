import BLANTensors
import CBLANKernels
import Testing

/// Reduced precision against plain loops that round the same numbers, and against f32.
@Suite struct LowPrecisionTests {
  private static let precisions = [BLAN_K_LOW_BF16, BLAN_K_LOW_INT8]

  private static let cases =
    ConvolutionCase.all.filter { $0.kernel < 7 } + [
      // Windows of four and of three tiles in a row, and rows that end within a run.
      ConvolutionCase(batch: 2, inputs: (16, 0), height: 6, width: 22, outputs: 20),
      ConvolutionCase(inputs: (20, 0), height: 9, width: 33, outputs: 40),
      // More weights than windows: the outputs are shared out between threads.
      ConvolutionCase(inputs: (160, 0), height: 8, width: 8, outputs: 160),
    ]

  private static func methods(_ c: ConvolutionCase, _ precision: blan_k_low_precision) -> [blan_k_conv_method] {
    var methods = [BLAN_K_CONV_DIRECT]
    guard c.methods.contains(BLAN_K_CONV_WINOGRAD4) else { return methods }
    methods.append(BLAN_K_CONV_WINOGRAD2)
    if precision == BLAN_K_LOW_BF16 { methods.append(BLAN_K_CONV_WINOGRAD4) }
    return methods
  }

  /// The reference works in double, so a number that lies between two rounded ones may fall to the other side, one step
  /// of eight bits (of bfloat16's fraction or of the integer) away: it shows in few outputs and by little.
  private static let tolerance: Float = 0.01
  /// Rounding itself, relative to the largest output. F(4x4)'s windows and kernels spread most.
  private static func rounding(_ precision: blan_k_low_precision, _ method: blan_k_conv_method) -> Float {
    precision == BLAN_K_LOW_INT8 ? 0.04 : method == BLAN_K_CONV_WINOGRAD4 ? 0.03 : 0.01
  }

  @Test(arguments: cases) func whatIsChosenRunsTheShape(c: ConvolutionCase) {
    var shape = c.shape
    for precision in Self.precisions {
      #expect(Self.methods(c, precision).contains(blan_k_low_conv_choose(&shape, precision)), "\(c), \(precision)")
    }
  }

  @Test(arguments: cases) func forwardMatchesTheReference(c: ConvolutionCase) throws {
    var noise = Noise(31)
    var shape = c.shape
    let channels = c.inputs.0 + c.inputs.1
    let in0 = try input(c.inputs.0, c, c.upsample.0, &noise)
    let in1 = try input(c.inputs.1, c, c.upsample.1, &noise)
    let weights = try AlignedBuffer<Float>(count: c.outputs * channels * c.kernel * c.kernel)
    let scale = try AlignedBuffer<Double>(count: c.outputs)
    let bias = try BlockedMap(.vector(c.outputs), batch: 1, noise: &noise)
    noise.fill(weights)
    for index in 0..<c.outputs { scale.pointer[index] = Double(noise.next()) }
    let output = TensorShape(c.outputs, blan_k_conv_out_height(&shape), blan_k_conv_out_width(&shape))
    let residual = try BlockedMap(output, batch: c.batch, noise: &noise)
    let plain = try BlockedMap(output, batch: c.batch)
    blan_k_conv_forward_reference(
      &shape, plain.pointer, in0.pointer, in1.pointer, weights.pointer, scale.pointer, bias.pointer, residual.pointer,
      true)
    for precision in Self.precisions {
      for method in Self.methods(c, precision) {
        let measured = method == BLAN_K_CONV_WINOGRAD4 ? BLAN_K_CONV_WINOGRAD2 : method
        let ranges = try AlignedBuffer<Float>(count: blan_k_low_range_elements(measured) * channels)
        blan_k_low_conv_ranges(&shape, measured, ranges.pointer, in0.pointer, in1.pointer, 2)
        let expected = try BlockedMap(output, batch: c.batch)
        blan_k_low_conv_forward_reference(
          &shape, method, precision, expected.pointer, in0.pointer, in1.pointer, weights.pointer, scale.pointer,
          ranges.pointer, bias.pointer, residual.pointer, true)
        #expect(relativeError(expected.buffer, plain.buffer) <= Self.rounding(precision, method), "\(c), \(method)")
        try onEveryInstructionSet { isa in
          var first: [Float]?
          for threads in [1, 2, 5] as [Int32] {
            let packed = try AlignedBuffer<UInt8>(count: blan_k_low_conv_packed_bytes(&shape, method, precision))
            blan_k_low_conv_pack(
              &shape, method, precision, weights.pointer, scale.pointer, ranges.pointer, packed.pointer, threads)
            let workspace = try AlignedBuffer<UInt8>(
              count: blan_k_low_conv_workspace_bytes(&shape, method, precision, threads))
            let actual = try BlockedMap(output, batch: c.batch)
            blan_k_low_conv_forward(
              &shape, method, precision, actual.pointer, in0.pointer, in1.pointer, packed.pointer, bias.pointer,
              residual.pointer, true, workspace.pointer, threads)
            let error = relativeError(actual.buffer, expected.buffer)
            #expect(error <= Self.tolerance, "\(c), method \(method), precision \(precision), isa \(isa)")
            let values = Array(actual.buffer.elements)
            #expect(first == nil || first == values, "\(threads) threads differ: \(c), \(method), isa \(isa)")
            first = values
          }
        }
      }
    }
  }

  private func input(_ channels: Int, _ c: ConvolutionCase, _ upsample: Int, _ noise: inout Noise) throws -> BlockedMap
  {
    let shape = TensorShape(channels, c.height / upsample, c.width / upsample)
    return try BlockedMap(shape, batch: c.batch, noise: &noise)
  }

  /// The stem against its f32 reference, which is given rounded pixels and weights.
  @Test(arguments: StemTests.cases) func theStemMatchesItsRoundedNumbers(c: StemTests.Case) throws {
    var noise = Noise(32)
    var shape = blan_k_stem_shape(batch: c.batch, height: c.height, width: c.width, out_channels: c.outputs)
    let area = c.height * c.width
    let pixels = try AlignedBuffer<Float>(count: c.batch * 3 * area)
    let weights = try AlignedBuffer<Float>(count: c.outputs * 147)
    for buffer in [pixels, weights] { noise.fill(buffer) }
    let scale = try AlignedBuffer<Double>(count: c.outputs)
    for index in 0..<c.outputs { scale.pointer[index] = Double(noise.next()) }
    let bias = try BlockedMap(.vector(c.outputs), batch: 1, noise: &noise)
    let ranges: [Float] = [1, 0.7, 1.3]  // of the second plane some pixels lie outside
    for precision in Self.precisions {
      let integers = precision == BLAN_K_LOW_INT8
      let steps = integers ? ranges.map { $0 / 127 } : [1, 1, 1]
      let roundedPixels = try AlignedBuffer<Float>(count: pixels.count)
      for index in 0..<pixels.count {
        let step = steps[index / area % 3]
        let integer = min(max((pixels.pointer[index] / step).rounded(.toNearestOrEven), -128), 127)
        roundedPixels.pointer[index] = integers ? integer * step : bfloat16(pixels.pointer[index])
      }
      let roundedWeights = try AlignedBuffer<Float>(count: weights.count)
      for output in 0..<c.outputs {
        let row = (0..<147).map { weights.pointer[output * 147 + $0] * Float(scale.pointer[output]) * steps[$0 / 49] }
        let most = row.map(abs).max() ?? 0
        for (tap, value) in row.enumerated() {
          let integer = (value * (127 / most)).rounded(.toNearestOrEven)
          roundedWeights.pointer[output * 147 + tap] =
            integers ? integer * (most / 127) / steps[tap / 49] : bfloat16(value)
        }
      }
      let map = try BlockedMap(TensorShape(c.outputs, c.height / 2, c.width / 2), batch: c.batch)
      blan_k_stem_forward_reference(
        &shape, map.pointer, roundedPixels.pointer, roundedWeights.pointer, nil, bias.pointer)
      let expected = try StemTests.pooled(map)
      try onEveryInstructionSet { isa in
        var first: [Float]?
        for threads in [1, 2, 5] as [Int32] {
          let packed = try AlignedBuffer<UInt8>(count: blan_k_low_stem_packed_bytes(&shape, precision))
          blan_k_low_stem_pack(&shape, precision, weights.pointer, scale.pointer, ranges, packed.pointer)
          let workspace = try AlignedBuffer<UInt8>(
            count: blan_k_low_stem_pool_workspace_bytes(&shape, precision, threads))
          let actual = try BlockedMap(expected.shape, batch: c.batch)
          blan_k_low_stem_pool_forward(
            &shape, precision, actual.pointer, pixels.pointer, packed.pointer, bias.pointer, workspace.pointer, threads)
          #expect(relativeError(actual.buffer, expected.buffer) < Self.tolerance, "isa \(isa), \(precision)")
          let values = Array(actual.buffer.elements)
          #expect(first == nil || first == values, "\(threads) threads differ: isa \(isa), \(precision)")
          first = values
        }
      }
    }
  }

  /// Numbers past the calibrated ranges count as the ends of these, on every instruction set.
  @Test func whatExceedsTheRangesIsCut() throws {
    var shape = blan_k_conv_shape(
      batch: 1, in_channels: (16, 0), in_upsample: (1, 1), in_height: 1, in_width: 4, out_channels: 16, kernel: 1,
      stride: 1, padding: 0)
    let map = try BlockedMap(TensorShape(16, 1, 4), batch: 1)
    let weights = try AlignedBuffer<Float>(count: 256)
    for channel in 0..<16 { weights.pointer[channel * 17] = 1 }
    let inputs: [Float] = [1, 50, -250_000, 1e30]
    for (place, value) in inputs.enumerated() { map[0, 3, place] = value }
    let ranges = try AlignedBuffer<Float>(count: 16)
    for channel in 0..<16 { ranges.pointer[channel] = 2 }
    try onEveryInstructionSet { isa in
      let packed = try AlignedBuffer<UInt8>(
        count: blan_k_low_conv_packed_bytes(&shape, BLAN_K_CONV_DIRECT, BLAN_K_LOW_INT8))
      blan_k_low_conv_pack(
        &shape, BLAN_K_CONV_DIRECT, BLAN_K_LOW_INT8, weights.pointer, nil, ranges.pointer, packed.pointer, 1)
      let workspace = try AlignedBuffer<UInt8>(
        count: blan_k_low_conv_workspace_bytes(&shape, BLAN_K_CONV_DIRECT, BLAN_K_LOW_INT8, 1))
      let out = try BlockedMap(TensorShape(16, 1, 4), batch: 1)
      blan_k_low_conv_forward(
        &shape, BLAN_K_CONV_DIRECT, BLAN_K_LOW_INT8, out.pointer, map.pointer, nil, packed.pointer, nil, nil, false,
        workspace.pointer, 1)
      let expected: [Float] = [1, 2, -2 * 128 / 127, 2]
      for place in 0..<4 { #expect(abs(out[0, 3, place] - expected[place]) < 0.01, "isa \(isa), place \(place)") }
      #expect(out[0, 4, 1] == 0)
    }
  }

  /// Padding of sixteen channels, inputs that calibration never saw, and weights that are no numbers.
  @Test func oddNumbersLeaveFiniteResults() throws {
    var noise = Noise(33)
    var shape = blan_k_conv_shape(
      batch: 1, in_channels: (20, 0), in_upsample: (1, 1), in_height: 6, in_width: 6, out_channels: 18, kernel: 3,
      stride: 1, padding: 1)
    let map = try BlockedMap(TensorShape(20, 6, 6), batch: 1, noise: &noise)
    let weights = try AlignedBuffer<Float>(count: 18 * 20 * 9)
    noise.fill(weights)
    weights.pointer[5] = .nan
    weights.pointer[700] = .infinity
    let ranges = try AlignedBuffer<Float>(count: 16 * 20)
    try onEveryInstructionSet { isa in
      let packed = try AlignedBuffer<UInt8>(
        count: blan_k_low_conv_packed_bytes(&shape, BLAN_K_CONV_WINOGRAD2, BLAN_K_LOW_INT8))
      blan_k_low_conv_pack(
        &shape, BLAN_K_CONV_WINOGRAD2, BLAN_K_LOW_INT8, weights.pointer, nil, ranges.pointer, packed.pointer, 2)
      let workspace = try AlignedBuffer<UInt8>(
        count: blan_k_low_conv_workspace_bytes(&shape, BLAN_K_CONV_WINOGRAD2, BLAN_K_LOW_INT8, 2))
      let out = try BlockedMap(TensorShape(18, 6, 6), batch: 1)
      blan_k_low_conv_forward(
        &shape, BLAN_K_CONV_WINOGRAD2, BLAN_K_LOW_INT8, out.pointer, map.pointer, nil, packed.pointer, nil, nil, false,
        workspace.pointer, 2)
      for place in 0..<36 {
        #expect(out[0, 17, place].isFinite, "isa \(isa)")
        for channel in 18..<32 { #expect(out[0, channel, place] == 0, "isa \(isa)") }
      }
    }
  }

  @Test(arguments: [(4, 3, 5), (16, 16, 8), (20, 9, 1), (64, 4, 10)])
  func linearLayersMatchTheirRoundedWeights(channels: Int, area: Int, outputs: Int) throws {
    var noise = Noise(34)
    let shape = TensorShape(channels, 1, area)
    let map = try BlockedMap(shape, batch: 3, noise: &noise)
    let weights = try AlignedBuffer<Float>(count: outputs * channels * area)
    let bias = try AlignedBuffer<Float>(count: outputs)
    noise.fill(weights)
    noise.fill(bias)
    let row = channels * area
    for precision in Self.precisions {
      let expected = try BlockedMap(.vector(outputs), batch: 3)
      for output in 0..<outputs {
        let values = (0..<row).map { weights.pointer[output * row + $0] }
        let most = values.map(abs).max() ?? 0
        let rounded = values.map { value -> Double in
          guard precision == BLAN_K_LOW_INT8 else { return Double(bfloat16(value)) }
          return Double((value * (127 / most)).rounded(.toNearestOrEven) * (most / 127))
        }
        for image in 0..<3 {
          var sum = Double(bias.pointer[output])
          for index in 0..<row { sum += rounded[index] * Double(map[image, index / area, index % area]) }
          expected[image, output, 0] = Float(sum)
        }
      }
      try onEveryInstructionSet { isa in
        for threads in [1, 2, 5] as [Int32] {
          let packed = try AlignedBuffer<UInt8>(
            count: blan_k_low_linear_packed_bytes(outputs, shape.blockedCount, precision))
          blan_k_low_linear_pack(weights.pointer, outputs, channels, area, precision, packed.pointer, threads)
          let actual = try BlockedMap(.vector(outputs), batch: 3)
          blan_k_low_linear_forward(
            3, shape.blockedCount, outputs, actual.pointer, ChannelBlock.padded(outputs), map.pointer, precision,
            packed.pointer, bias.pointer, threads)
          #expect(relativeError(actual.buffer, expected.buffer) < 1e-5, "isa \(isa), \(precision)")
        }
      }
    }
  }

  private func bfloat16(_ value: Float) -> Float {
    let bits = value.bitPattern
    return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
  }

  @Test func rangesGrowAndNeverShrink() throws {
    var shape = blan_k_conv_shape(
      batch: 1, in_channels: (3, 0), in_upsample: (1, 1), in_height: 4, in_width: 4, out_channels: 1, kernel: 3,
      stride: 1, padding: 1)
    let map = try BlockedMap(TensorShape(3, 4, 4), batch: 1)
    map[0, 1, 5] = -3  // row 1, column 1
    let ranges = try AlignedBuffer<Float>(count: 16 * 3)
    ranges.pointer[2] = 7
    blan_k_low_conv_ranges(&shape, BLAN_K_CONV_WINOGRAD2, ranges.pointer, map.pointer, nil, 1)
    #expect(Array(ranges.elements[0..<3]) == [0, 3, 7])
    // It is the third pixel of windows along both axes or the first, which the last row and column of elements ignore.
    for element in 0..<16 {
      #expect(ranges.pointer[element * 3 + 1] == (element % 4 == 3 || element / 4 == 3 ? 0 : 3), "\(element)")
    }
    var direct = [Float](repeating: 0, count: 3)
    blan_k_low_conv_ranges(&shape, BLAN_K_CONV_DIRECT, &direct, map.pointer, nil, 1)
    #expect(direct == [0, 3, 0])
  }
}

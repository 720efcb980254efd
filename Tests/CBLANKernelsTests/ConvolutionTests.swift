import BLANTensors
import CBLANKernels
import Testing

/// One convolution to check: every method, instruction set and number of threads against the plain loops.
struct ConvolutionCase: CustomStringConvertible, Sendable {
  var batch = 1
  var inputs = (16, 0)
  var upsample = (1, 1)
  var height = 8
  var width = 8
  var outputs = 16
  var kernel = 3
  var stride = 1
  var padding = 1

  var description: String {
    "\(batch)x\(inputs)x\(height)x\(width) up \(upsample) -> \(outputs), \(kernel)x\(kernel) s\(stride) p\(padding)"
  }

  var shape: blan_k_conv_shape {
    blan_k_conv_shape(
      batch: batch, in_channels: (inputs.0, inputs.1), in_upsample: upsample, in_height: height, in_width: width,
      out_channels: outputs, kernel: kernel, stride: stride, padding: padding)
  }

  /// Of the convolution and of its gradients.
  var methods: [blan_k_conv_method] {
    let winograd = kernel == 3 && stride == 1 && padding == 1 && upsample.0 != 3
    return [BLAN_K_CONV_DIRECT]
      + (winograd ? [BLAN_K_CONV_WINOGRAD4, BLAN_K_CONV_WINOGRAD4_TAPS] : [])
  }

  /// Of the convolution.
  var forwardMethods: [blan_k_conv_method] {
    methods + (kernel == 3 && stride == 2 && padding == 1 ? [BLAN_K_CONV_WINOGRAD4_STRIDED] : [])
  }

  /// Rounding grows with the number of terms; F(4x4) multiplies it by the size of its transforms' coefficients.
  func tolerance(_ method: blan_k_conv_method, terms: Int) -> Float {
    Float(terms).squareRoot() * 1.2e-7 * (method.rawValue >= BLAN_K_CONV_WINOGRAD4.rawValue ? 40 : 4)
  }

  static let all: [ConvolutionCase] = [
    ConvolutionCase(),
    ConvolutionCase(inputs: (4, 0), height: 2, width: 2, outputs: 8),
    ConvolutionCase(batch: 2, inputs: (20, 0), height: 7, width: 5, outputs: 33),
    ConvolutionCase(batch: 3, inputs: (32, 0), height: 14, width: 14, outputs: 48),
    ConvolutionCase(inputs: (64, 0), height: 17, width: 16, outputs: 64),
    // Two partial sums of different length, and more tiles than one group has.
    ConvolutionCase(batch: 3, inputs: (72, 0), height: 15, width: 14, outputs: 24),
    ConvolutionCase(batch: 5, inputs: (16, 0), height: 4, width: 4, outputs: 16),
    // More output blocks than one part of a weight gradient has.
    ConvolutionCase(batch: 2, inputs: (36, 0), height: 11, width: 12, outputs: 80),
    ConvolutionCase(batch: 3, inputs: (16, 0), height: 9, width: 9, outputs: 80, stride: 2),
    ConvolutionCase(batch: 2, inputs: (24, 8), height: 10, width: 6, outputs: 16),
    ConvolutionCase(inputs: (16, 16), upsample: (1, 2), height: 8, width: 12, outputs: 20),
    ConvolutionCase(batch: 2, inputs: (12, 20), upsample: (2, 1), height: 6, width: 6, outputs: 16),
    ConvolutionCase(batch: 2, inputs: (16, 0), height: 9, width: 8, outputs: 40, stride: 2),
    ConvolutionCase(inputs: (32, 0), height: 16, width: 16, outputs: 32, stride: 2),
    ConvolutionCase(batch: 2, inputs: (72, 0), height: 27, width: 24, outputs: 40, stride: 2),
    ConvolutionCase(batch: 2, inputs: (16, 0), height: 16, width: 12, outputs: 8, kernel: 5, stride: 4, padding: 2),
    ConvolutionCase(inputs: (16, 0), height: 14, width: 14, outputs: 16, kernel: 5, stride: 4, padding: 2),
    ConvolutionCase(batch: 2, inputs: (36, 0), height: 5, width: 7, outputs: 20, kernel: 1, padding: 0),
    ConvolutionCase(inputs: (16, 0), height: 7, width: 8, outputs: 64, kernel: 1, stride: 2, padding: 0),
    ConvolutionCase(inputs: (16, 16), upsample: (3, 1), height: 12, width: 12, outputs: 20),
    ConvolutionCase(inputs: (16, 0), upsample: (4, 1), height: 16, width: 24, outputs: 3, kernel: 7, padding: 3),
    ConvolutionCase(inputs: (16, 0), upsample: (2, 1), height: 8, width: 8, outputs: 16, stride: 2),
  ]

  /// With more tiles than one pass has and more output blocks than one of its products; with more than one strip.
  static let weightGradients =
    all + [
      ConvolutionCase(inputs: (20, 0), height: 40, width: 37, outputs: 136),
      ConvolutionCase(inputs: (16, 0), height: 48, width: 45, outputs: 16),
    ]
}

@Suite struct ConvolutionTests {
  @Test(arguments: ConvolutionCase.all) func whatIsChosenRunsTheShape(c: ConvolutionCase) throws {
    var shape = c.shape
    onEveryInstructionSet { isa in
      #expect(c.forwardMethods.contains(blan_k_conv_choose(&shape)), "\(c), isa \(isa)")
    }
  }

  @Test(arguments: ConvolutionCase.all) func forwardMatchesTheReference(c: ConvolutionCase) throws {
    var noise = Noise(1)
    var shape = c.shape
    let (in0, in1) = try inputs(of: c, &noise)
    let weights = try AlignedBuffer<Float>(count: c.outputs * (c.inputs.0 + c.inputs.1) * c.kernel * c.kernel)
    let scale = try AlignedBuffer<Double>(count: c.outputs)
    let bias = try BlockedMap(.vector(c.outputs), batch: 1, noise: &noise)
    noise.fill(weights)
    for index in 0..<c.outputs { scale.pointer[index] = Double(noise.next()) }
    let output = TensorShape(c.outputs, blan_k_conv_out_height(&shape), blan_k_conv_out_width(&shape))
    let residual = try BlockedMap(output, batch: c.batch, noise: &noise)
    let expected = try BlockedMap(output, batch: c.batch)
    for (relu, hasResidual, hasBias) in [(false, false, false), (true, true, true)] {
      let biasPointer = hasBias ? bias.pointer : nil
      let residualPointer = hasResidual ? residual.pointer : nil
      blan_k_conv_forward_reference(
        &shape, expected.pointer, in0.pointer, in1.pointer, weights.pointer, scale.pointer, biasPointer,
        residualPointer, relu)
      try onEveryInstructionSet { isa in
        for method in c.forwardMethods {
          var first: [Float]?
          for threads in [1, 2, 5] as [Int32] {
            let packed = try AlignedBuffer<Float>(count: blan_k_conv_packed_count(&shape, method))
            blan_k_conv_pack(&shape, method, weights.pointer, scale.pointer, packed.pointer, threads)
            let workspace = try poisoned(blan_k_conv_workspace_count(&shape, method, threads))
            let actual = try BlockedMap(output, batch: c.batch)
            blan_k_conv_forward(
              &shape, method, actual.pointer, in0.pointer, in1.pointer, packed.pointer, biasPointer, residualPointer,
              relu, workspace.pointer, threads)
            let error = relativeError(actual.buffer, expected.buffer)
            let terms = (c.inputs.0 + c.inputs.1) * c.kernel * c.kernel
            #expect(error <= c.tolerance(method, terms: terms), "\(c), method \(method), isa \(isa)")
            let values = Array(actual.buffer.elements)
            #expect(first == nil || first == values, "\(threads) threads differ: \(c), method \(method), isa \(isa)")
            first = values
          }
        }
      }
    }
  }

  @Test(arguments: ConvolutionCase.all) func inputGradientMatchesTheReference(c: ConvolutionCase) throws {
    var noise = Noise(2)
    var shape = c.shape
    let weights = try AlignedBuffer<Float>(count: c.outputs * (c.inputs.0 + c.inputs.1) * c.kernel * c.kernel)
    noise.fill(weights)
    let output = TensorShape(c.outputs, blan_k_conv_out_height(&shape), blan_k_conv_out_width(&shape))
    let dOut = try BlockedMap(output, batch: c.batch, noise: &noise)
    let (expected0, expected1) = try emptyInputs(of: c)
    blan_k_conv_backward_data_reference(
      &shape, expected0.pointer, expected1.pointer, dOut.pointer, weights.pointer)
    try onEveryInstructionSet { isa in
      for method in c.methods {
        for threads in [1, 2, 5] as [Int32] {
          let packed = try AlignedBuffer<Float>(count: blan_k_conv_backward_packed_count(&shape, method))
          blan_k_conv_backward_pack(&shape, method, weights.pointer, packed.pointer, threads)
          let workspace = try AlignedBuffer<Float>(
            count: blan_k_conv_backward_workspace_count(&shape, method, threads))
          let (actual0, actual1) = try emptyInputs(of: c)
          for accumulate in [false, true] {
            blan_k_conv_backward_data(
              &shape, method, actual0.pointer, actual1.pointer, accumulate, accumulate, dOut.pointer, packed.pointer,
              workspace.pointer, threads)
          }
          let copies = max(c.upsample.0, c.upsample.1)
          let tolerance = c.tolerance(method, terms: c.outputs * c.kernel * c.kernel * copies * copies)
          for (actual, expected) in [(actual0, expected0), (actual1, expected1)] {
            for index in 0..<actual.buffer.count { actual.pointer[index] /= 2 }
            #expect(relativeError(actual.buffer, expected.buffer) <= tolerance, "\(c), method \(method), isa \(isa)")
          }
        }
      }
    }
  }

  @Test(arguments: ConvolutionCase.weightGradients) func weightGradientMatchesTheReference(c: ConvolutionCase) throws {
    var noise = Noise(3)
    var shape = c.shape
    let (in0, in1) = try inputs(of: c, &noise)
    let output = TensorShape(c.outputs, blan_k_conv_out_height(&shape), blan_k_conv_out_width(&shape))
    let dOut = try BlockedMap(output, batch: c.batch, noise: &noise)
    let count = c.outputs * (c.inputs.0 + c.inputs.1) * c.kernel * c.kernel
    let expected = try AlignedBuffer<Float>(count: count)
    let expectedBias = try AlignedBuffer<Float>(count: c.outputs)
    blan_k_conv_backward_weights_reference(
      &shape, expected.pointer, expectedBias.pointer, in0.pointer, in1.pointer, dOut.pointer)
    let tolerance = c.tolerance(c.methods.last ?? BLAN_K_CONV_DIRECT, terms: c.batch * output.area)
    try onEveryInstructionSet { isa in
      var first: [Float]?
      for threads in [1, 2, 5] as [Int32] {
        let workspace = try AlignedBuffer<Float>(
          count: blan_k_conv_backward_weights_workspace_count(&shape, threads))
        let actual = try AlignedBuffer<Float>(count: count)
        let actualBias = try AlignedBuffer<Float>(count: c.outputs)
        for accumulate in [false, true] {
          blan_k_conv_backward_weights(
            &shape, actual.pointer, actualBias.pointer, accumulate, in0.pointer, in1.pointer, dOut.pointer,
            workspace.pointer, threads)
        }
        for index in 0..<count { actual.pointer[index] /= 2 }
        for index in 0..<c.outputs { actualBias.pointer[index] /= 2 }
        #expect(relativeError(actual, expected) <= tolerance, "\(c), isa \(isa)")
        #expect(relativeError(actualBias, expectedBias) <= tolerance, "\(c), isa \(isa)")
        let values = Array(actual.elements)
        #expect(first == nil || first == values, "\(threads) threads differ: \(c), isa \(isa)")
        first = values
      }
    }
  }

  /// The reference's gradients of inputs, weights and bias are those of Σ d_out · conv by central differences.
  @Test(arguments: ConvolutionCase.all.filter { $0.height * $0.width <= 100 })
  func referenceGradientsAreDifferenceQuotients(c: ConvolutionCase) throws {
    var source = Noise(5)
    var shape = c.shape
    let (in0, in1) = try inputs(of: c, &source)
    let weights = try noise(c.outputs * (c.inputs.0 + c.inputs.1) * c.kernel * c.kernel, &source)
    let bias = try BlockedMap(.vector(c.outputs), batch: 1, noise: &source)
    let output = TensorShape(c.outputs, blan_k_conv_out_height(&shape), blan_k_conv_out_width(&shape))
    let dOut = try BlockedMap(output, batch: c.batch, noise: &source)
    let (d0, d1) = try emptyInputs(of: c)
    let dWeights = try AlignedBuffer<Float>(count: weights.count)
    let dBias = try AlignedBuffer<Float>(count: bias.buffer.count)
    blan_k_conv_backward_data_reference(&shape, d0.pointer, d1.pointer, dOut.pointer, weights.pointer)
    blan_k_conv_backward_weights_reference(
      &shape, dWeights.pointer, dBias.pointer, in0.pointer, in1.pointer, dOut.pointer)
    let out = try BlockedMap(output, batch: c.batch)
    let loss = {
      blan_k_conv_forward_reference(
        &shape, out.pointer, in0.pointer, in1.pointer, weights.pointer, nil, bias.pointer, nil, false)
      return dot(out.buffer, dOut.buffer)
    }
    // The loss is linear in each of them, so a large step has no curvature to suffer from.
    func compare(
      _ name: String, _ gradient: AlignedBuffer<Float>, _ parameter: AlignedBuffer<Float>, _ elements: [Int]
    ) throws {
      try expectGradient("\(c): \(name)", gradient, of: parameter, at: elements, step: 0.5, tolerance: 1e-4, loss: loss)
    }
    func real(_ map: BlockedMap) -> [Int] {
      spread(map.buffer.count, limit: 400).filter { place in
        place / map.shape.area / 16 % ChannelBlock.count(map.shape.channels) * 16 + place % 16 < map.shape.channels
      }
    }
    try compare("d_in0", d0.buffer, in0.buffer, Array(real(in0).prefix(40)))
    if c.inputs.1 > 0 { try compare("d_in1", d1.buffer, in1.buffer, Array(real(in1).prefix(40))) }
    try compare("d_weights", dWeights, weights, spread(weights.count))
    try compare("d_bias", dBias, bias.buffer, spread(c.outputs))
  }

  @Test(arguments: [1, 2]) func anImageDoesNotDependOnItsBatch(stride: Int) throws {
    let one = ConvolutionCase(inputs: (32, 0), height: 9, width: 9, outputs: 32, stride: stride)
    let side = stride == 1 ? 9 : 5
    var noise = Noise(4)
    let weights = try AlignedBuffer<Float>(count: 32 * 32 * 9)
    noise.fill(weights)
    let map = try BlockedMap(TensorShape(32, 9, 9), batch: 4, noise: &noise)
    try onEveryInstructionSet { isa in
      for method in one.forwardMethods {
        func run(batch: Int, at image: Int) throws -> [Float] {
          var c = one
          c.batch = batch
          var shape = c.shape
          let packed = try AlignedBuffer<Float>(count: blan_k_conv_packed_count(&shape, method))
          blan_k_conv_pack(&shape, method, weights.pointer, nil, packed.pointer, 1)
          let workspace = try poisoned(blan_k_conv_workspace_count(&shape, method, 2))
          let out = try BlockedMap(TensorShape(32, side, side), batch: batch)
          let imageFloats = map.shape.blockedCount
          blan_k_conv_forward(
            &shape, method, out.pointer, map.pointer + image * imageFloats, nil, packed.pointer, nil, nil, false,
            workspace.pointer, 2)
          return Array(out.buffer.elements)
        }
        let together = try run(batch: 4, at: 0)
        for image in 0..<4 {
          let alone = try run(batch: 1, at: image)
          #expect(Array(together[(image * alone.count)..<((image + 1) * alone.count)]) == alone, "isa \(isa)")
        }
      }
    }
  }

  private func inputShapes(of c: ConvolutionCase) -> (TensorShape, TensorShape) {
    (
      TensorShape(c.inputs.0, c.height / c.upsample.0, c.width / c.upsample.0),
      TensorShape(c.inputs.1, c.height / c.upsample.1, c.width / c.upsample.1)
    )
  }

  private func inputs(of c: ConvolutionCase, _ noise: inout Noise) throws -> (BlockedMap, BlockedMap) {
    let shapes = inputShapes(of: c)
    return (
      try BlockedMap(shapes.0, batch: c.batch, noise: &noise), try BlockedMap(shapes.1, batch: c.batch, noise: &noise)
    )
  }

  private func emptyInputs(of c: ConvolutionCase) throws -> (BlockedMap, BlockedMap) {
    let shapes = inputShapes(of: c)
    return (try BlockedMap(shapes.0, batch: c.batch), try BlockedMap(shapes.1, batch: c.batch))
  }
}

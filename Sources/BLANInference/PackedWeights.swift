import BLANNetwork
import BLANTensors
import CBLANKernels
import Glibc

/// What a step computes with: weights folded, packed for its kernel, and the kernel's shape for one image.
enum PackedStep {
  case stem(shape: blan_k_stem_shape, weights: AlignedBuffer<Float>, bias: AlignedBuffer<Float>)
  case lowStem(
    shape: blan_k_stem_shape, precision: blan_k_low_precision, weights: AlignedBuffer<UInt8>,
    bias: AlignedBuffer<Float>)
  case convolution(
    shape: blan_k_conv_shape, method: blan_k_conv_method, weights: AlignedBuffer<Float>, bias: AlignedBuffer<Float>?)
  /// A convolution in reduced precision.
  case lowConvolution(
    shape: blan_k_conv_shape, method: blan_k_conv_method, precision: blan_k_low_precision,
    weights: AlignedBuffer<UInt8>, bias: AlignedBuffer<Float>?)
  case channelGate(ChannelMLP)
  case spatialGate(weights: AlignedBuffer<Float>)
  case attend
  case linear(weights: AlignedBuffer<Float>, bias: AlignedBuffer<Float>)
  case lowLinear(precision: blan_k_low_precision, weights: AlignedBuffer<UInt8>, bias: AlignedBuffer<Float>)

  struct ChannelMLP {
    let fc1Weight: AlignedBuffer<Float>
    let fc1Bias: AlignedBuffer<Float>
    let fc2Weight: AlignedBuffer<Float>
    let fc2Bias: AlignedBuffer<Float>
    let hidden: Int
  }
}

/// Folds and packs the weights of each step.
struct WeightPacker<Source: TensorSource> {
  let source: Source
  let threads: Int32
  var precision = Precision.float32

  func pack(_ step: InferenceStep) throws -> PackedStep {
    switch step {
    case .stem(_, let stem): return try packStem(stem)
    case .convolution(_, let fused): return try packConvolution(fused)
    case .channelGate(_, _, let gate): return try packChannelGate(gate)
    case .spatialGate(_, _, let gate):
      return .spatialGate(weights: try copy(gate.weight, [1, 2, SpatialGate.kernel, SpatialGate.kernel]))
    case .attend: return .attend
    case .linear(_, _, let shape, let layer): return try packLinear(layer, shape)
    }
  }

  private func packStem(_ stem: InferenceStep.Stem) throws -> PackedStep {
    let layer = stem.convolution
    var shape = blan_k_stem_shape(
      batch: 1, height: stem.inputSize, width: stem.inputSize, out_channels: layer.outputChannels)
    let (scale, bias) = try fold(stem.batchNorm)
    if let low = precision.kernels {
      let packed = try AlignedBuffer<UInt8>(count: blan_k_low_stem_packed_bytes(&shape, low), purpose: layer.weight)
      try withRanges(of: layer) { ranges in
        try source.withTensor(layer.weight, shape: layer.weightShape) {
          blan_k_low_stem_pack(&shape, low, $0.baseAddress, scale.pointer, ranges, packed.pointer)
        }
      }
      return .lowStem(shape: shape, precision: low, weights: packed, bias: bias)
    }
    let packed = try AlignedBuffer<Float>(count: blan_k_stem_pool_packed_count(&shape), purpose: layer.weight)
    try source.withTensor(layer.weight, shape: layer.weightShape) {
      blan_k_stem_pool_pack(&shape, $0.baseAddress, scale.pointer, packed.pointer)
    }
    return .stem(shape: shape, weights: packed, bias: bias)
  }

  private func packConvolution(_ fused: InferenceStep.FusedConvolution) throws -> PackedStep {
    let layer = fused.convolution
    var shape = fused.kernelShape
    let folded = try fused.batchNorm.map { try fold($0) }
    var bias = folded?.bias
    if let name = layer.bias { bias = try copy(name, [layer.outputChannels]) }
    if let low = precision.kernels {
      return try packLow(fused, shape, low, scale: folded?.scale, bias: bias)
    }
    // Chosen for one image whatever the batch: an image's result must not depend on its company.
    let method = blan_k_conv_choose(&shape)
    let packed = try AlignedBuffer<Float>(count: blan_k_conv_packed_count(&shape, method), purpose: layer.weight)
    try source.withTensor(layer.weight, shape: layer.weightShape) {
      blan_k_conv_pack(&shape, method, $0.baseAddress, folded?.scale.pointer, packed.pointer, threads)
    }
    return .convolution(shape: shape, method: method, weights: packed, bias: bias)
  }

  private func packLow(
    _ fused: InferenceStep.FusedConvolution, _ shape: blan_k_conv_shape, _ low: blan_k_low_precision,
    scale: AlignedBuffer<Double>?, bias: AlignedBuffer<Float>?
  ) throws -> PackedStep {
    let layer = fused.convolution
    var shape = shape
    let method = blan_k_low_conv_choose(&shape, low)
    let packed = try AlignedBuffer<UInt8>(
      count: blan_k_low_conv_packed_bytes(&shape, method, low), purpose: layer.weight)
    try withRanges(of: layer) { ranges in
      // The first row is that of the pixels themselves, which the direct method rounds.
      let ranges = ranges.map { method == BLAN_K_CONV_DIRECT ? $0 : $0 + layer.rangesShape[1] }
      try source.withTensor(layer.weight, shape: layer.weightShape) {
        blan_k_low_conv_pack(&shape, method, low, $0.baseAddress, scale?.pointer, ranges, packed.pointer, threads)
      }
    }
    return .lowConvolution(shape: shape, method: method, precision: low, weights: packed, bias: bias)
  }

  /// The ranges of a convolution's inputs; nil where nothing is rounded by them.
  private func withRanges(of layer: Convolution, _ body: (UnsafePointer<Float>?) throws -> Void) throws {
    guard precision == .int8 else { return try body(nil) }
    try source.withTensor(layer.ranges, shape: layer.rangesShape) { try body($0.baseAddress) }
  }

  private func packChannelGate(_ gate: ChannelGate) throws -> PackedStep {
    .channelGate(
      PackedStep.ChannelMLP(
        fc1Weight: try copy(gate.prefix + ".fc1.weight", [gate.hidden, gate.channels]),
        fc1Bias: try copy(gate.prefix + ".fc1.bias", [gate.hidden]),
        fc2Weight: try copy(gate.prefix + ".fc2.weight", [gate.channels, gate.hidden]),
        fc2Bias: try copy(gate.prefix + ".fc2.bias", [gate.channels]), hidden: gate.hidden))
  }

  private func packLinear(_ layer: Linear, _ shape: TensorShape) throws -> PackedStep {
    let bias = try copy(layer.bias, [layer.outputs])
    if let low = precision.kernels {
      let packed = try AlignedBuffer<UInt8>(
        count: blan_k_low_linear_packed_bytes(layer.outputs, shape.blockedCount, low), purpose: layer.weight)
      try source.withTensor(layer.weight, shape: [layer.outputs, layer.inputs]) {
        blan_k_low_linear_pack(
          $0.baseAddress, layer.outputs, shape.channels, shape.area, low, packed.pointer, threads)
      }
      return .lowLinear(precision: low, weights: packed, bias: bias)
    }
    let rows = blan_k_linear_padded_outputs(layer.outputs)
    let packed = try AlignedBuffer<Float>(count: rows * shape.blockedCount, purpose: layer.weight)
    try source.withTensor(layer.weight, shape: [layer.outputs, layer.inputs]) {
      blan_k_linear_pack($0.baseAddress, layer.outputs, shape.channels, shape.area, packed.pointer, threads)
    }
    return .linear(weights: packed, bias: bias)
  }

  /// Batch norm with running statistics as a scale and an offset of each channel, in double precision: every pixel of a
  /// channel meets their errors.
  private func fold(_ layer: BatchNorm) throws -> (scale: AlignedBuffer<Double>, bias: AlignedBuffer<Float>) {
    let weight = try copy(layer.weight, [layer.channels])
    let bias = try copy(layer.bias, [layer.channels])
    let mean = try copy(layer.runningMean, [layer.channels])
    let variance = try copy(layer.runningVariance, [layer.channels])
    let scale = try AlignedBuffer<Double>(count: layer.channels, purpose: layer.weight)
    for channel in 0..<layer.channels {
      let deviation = (Double(variance.pointer[channel]) + Double(BatchNorm.epsilon)).squareRoot()
      scale.pointer[channel] = Double(weight.pointer[channel]) / deviation
      let offset = Double(bias.pointer[channel]) - Double(mean.pointer[channel]) * scale.pointer[channel]
      bias.pointer[channel] = Float(offset)
    }
    return (scale, bias)
  }

  /// A copy, padded with zeros to whole blocks of 16.
  private func copy(_ name: String, _ shape: [Int]) throws -> AlignedBuffer<Float> {
    let buffer = try AlignedBuffer<Float>(count: ChannelBlock.padded(shape.reduce(1, *)), purpose: name)
    try source.withTensor(name, shape: shape) { values in
      for index in 0..<values.count { buffer.pointer[index] = values[index] }
    }
    return buffer
  }
}

extension InferenceStep.FusedConvolution {
  /// The kernels' description of it, for one image.
  var kernelShape: blan_k_conv_shape {
    let layer = convolution
    return blan_k_conv_shape(
      batch: 1, in_channels: (layer.inputChannels[0], layer.inputChannels.count > 1 ? layer.inputChannels[1] : 0),
      in_upsample: (inputs[0].upsample, inputs.count > 1 ? inputs[1].upsample : 1), in_height: inputHeight,
      in_width: inputWidth, out_channels: layer.outputChannels, kernel: layer.kernel, stride: layer.stride,
      padding: layer.padding)
  }
}

extension Precision {
  /// True where this CPU has instructions of its own for it, and the instruction set in force lets it use them.
  public var isNative: Bool { kernels.map(blan_k_low_is_native) ?? true }

  /// What the kernels of reduced precision call it; nil for f32.
  var kernels: blan_k_low_precision? {
    switch self {
    case .float32: return nil
    case .bfloat16: return BLAN_K_LOW_BF16
    case .int8: return BLAN_K_LOW_INT8
    }
  }
}

import BLANTensors
import CBLANKernels

/// The convolutions of one network, packed; P-Net's heads are the last of them. Never changes once made.
final class ConvolutionChain: @unchecked Sendable {
  private var layers: [blan_k_chain_layer] = []
  private var buffers: [AlignedBuffer<Float>] = []

  init(_ network: CascadeNetwork, _ source: some TensorSource) throws {
    for layer in network.convolutions {
      var described = blan_k_chain_layer(
        in_channels: layer.inputs, out_channels: layer.outputs, kernel: layer.kernel, pool: layer.pool, packed: nil,
        bias: try padded(network.bias(of: layer), layer.outputs, source),
        slope: try padded(network.slope(layer.number), layer.outputs, source))
      let shape = [layer.outputs, layer.inputs, layer.kernel, layer.kernel]
      try source.withTensor(network.weight(of: layer), shape: shape) { weights in
        try pack(&described, weights)
      }
      layers.append(described)
    }
    if network.dense == nil { try appendHeads(of: network, source) }
  }

  /// The heads as one 1x1 convolution.
  private func appendHeads(of network: CascadeNetwork, _ source: some TensorSource) throws {
    let bias = try AlignedBuffer<Float>(count: ChannelBlock.padded(network.headOutputs), purpose: "heads")
    let weights = try AlignedBuffer<Float>(count: network.headOutputs * network.headInputs, purpose: "heads")
    var first = 0
    for head in network.heads {
      try source.withTensor(network.weight(of: head), shape: network.shape(of: head)) { values in
        for (index, value) in values.enumerated() { weights.elements[first * network.headInputs + index] = value }
      }
      try source.withTensor(network.bias(of: head), shape: [head.outputs]) { values in
        for (index, value) in values.enumerated() { bias.elements[first + index] = value }
      }
      first += head.outputs
    }
    buffers.append(bias)
    var described = blan_k_chain_layer(
      in_channels: network.headInputs, out_channels: network.headOutputs, kernel: 1, pool: 0, packed: nil,
      bias: bias.pointer, slope: nil)
    try pack(&described, UnsafeBufferPointer(weights.elements))
    layers.append(described)
  }

  private func padded(_ name: String, _ count: Int, _ source: some TensorSource) throws -> UnsafePointer<Float> {
    let buffer = try AlignedBuffer<Float>(count: ChannelBlock.padded(count), purpose: name)
    try source.withTensor(name, shape: [count]) { values in
      for (index, value) in values.enumerated() { buffer.elements[index] = value }
    }
    buffers.append(buffer)
    return UnsafePointer(buffer.pointer)
  }

  private func pack(_ layer: inout blan_k_chain_layer, _ weights: UnsafeBufferPointer<Float>) throws {
    let packed = try AlignedBuffer<Float>(count: blan_k_chain_packed_count(&layer), purpose: "packed weights")
    blan_k_chain_pack(&layer, weights.baseAddress, packed.pointer)
    layer.packed = UnsafePointer(packed.pointer)
    buffers.append(packed)
  }

  /// Height or width of the last map for an image's.
  func extent(_ extent: Int) -> Int {
    layers.reduce(extent) { extent, layer in
      var layer = layer
      return blan_k_chain_extent(&layer, extent)
    }
  }

  /// Floats of the last map, blocked.
  func outputCount(height: Int, width: Int) -> Int {
    guard let last = layers.last else { return 0 }
    return ChannelBlock.padded(last.out_channels) * extent(height) * extent(width)
  }

  func scratchCount(height: Int, width: Int) -> Int { blan_k_chain_scratch_count(layers, layers.count, height, width) }

  /// Runs on three planes that follow each other; the calling thread alone.
  func forward(
    _ planes: UnsafePointer<Float>, height: Int, width: Int, into out: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    var image = blan_k_chain_image(
      data: planes, height: height, width: width, row_step: width, plane_step: height * width)
    blan_k_chain_forward(layers, layers.count, out, &image, scratch)
  }
}

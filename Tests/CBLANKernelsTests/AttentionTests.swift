import BLANTensors
import CBLANKernels
import Testing

@Suite struct AttentionTests {
  static let shapes = [
    TensorShape(4, 3, 5), TensorShape(16, 8, 8), TensorShape(40, 7, 7), TensorShape(64, 16, 12), TensorShape(17, 1, 1),
  ]

  @Test(arguments: shapes) func channelGateMatchesTheReference(shape: TensorShape) throws {
    var noise = Noise(11)
    let hidden = max(4, shape.channels / 16)
    let map = try BlockedMap(shape, batch: 3, noise: &noise)
    let gateIn = try AlignedBuffer<Float>(count: 3 * shape.area)
    let fc1 = try AlignedBuffer<Float>(count: hidden * shape.channels)
    let fc1Bias = try AlignedBuffer<Float>(count: hidden)
    let fc2 = try AlignedBuffer<Float>(count: hidden * shape.channels)
    let fc2Bias = try AlignedBuffer<Float>(count: shape.channels)
    for buffer in [gateIn, fc1, fc1Bias, fc2, fc2Bias] { noise.fill(buffer) }
    var mlp = blan_k_channel_mlp(
      fc1_weight: fc1.pointer, fc1_bias: fc1Bias.pointer, fc2_weight: fc2.pointer, fc2_bias: fc2Bias.pointer,
      hidden: hidden)
    var described = description(of: map)
    for locationGate in [nil, gateIn.pointer] {
      let expected = try BlockedMap(.vector(shape.channels), batch: 3)
      blan_k_channel_gate_reference(&described, locationGate, &mlp, expected.pointer)
      try onEveryInstructionSet { isa in
        for threads in [1, 2, 5] as [Int32] {
          let workspace = try poisoned(blan_k_channel_gate_workspace_count(&described, &mlp))
          let actual = try BlockedMap(.vector(shape.channels), batch: 3)
          blan_k_channel_gate(&described, locationGate, &mlp, actual.pointer, workspace.pointer, threads)
          #expect(relativeError(actual.buffer, expected.buffer) < 1e-5, "\(shape), isa \(isa)")
        }
      }
    }
  }

  @Test(arguments: shapes) func spatialGateMatchesTheReference(shape: TensorShape) throws {
    var noise = Noise(12)
    // All values below zero: a maximum that took in padding channels would be zero.
    let map = try BlockedMap(shape, batch: 2, noise: &noise)
    for image in 0..<2 {
      for channel in 0..<shape.channels {
        for place in 0..<shape.area { map[image, channel, place] -= 1.5 }
      }
    }
    let gateIn = try BlockedMap(.vector(shape.channels), batch: 2, noise: &noise)
    let weights = try AlignedBuffer<Float>(count: 98)
    noise.fill(weights)
    var described = description(of: map)
    for channelGate in [nil, gateIn.pointer] {
      let expected = try AlignedBuffer<Float>(count: 2 * shape.area)
      blan_k_spatial_gate_reference(&described, channelGate, weights.pointer, expected.pointer)
      try onEveryInstructionSet { isa in
        for threads in [1, 2, 5] as [Int32] {
          let workspace = try poisoned(blan_k_spatial_gate_workspace_count(&described))
          let actual = try AlignedBuffer<Float>(count: 2 * shape.area)
          blan_k_spatial_gate(&described, channelGate, weights.pointer, actual.pointer, workspace.pointer, threads)
          #expect(relativeError(actual, expected) < 1e-5, "\(shape), isa \(isa)")
        }
      }
    }
  }

  @Test(arguments: shapes) func gatedSumMatchesTheReference(shape: TensorShape) throws {
    var noise = Noise(13)
    let map = try BlockedMap(shape, batch: 2, noise: &noise)
    let residual = try BlockedMap(shape, batch: 2, noise: &noise)
    let channelGate = try BlockedMap(.vector(shape.channels), batch: 2, noise: &noise)
    let locationGate = try AlignedBuffer<Float>(count: 2 * shape.area)
    noise.fill(locationGate)
    var described = description(of: map)
    for (channel, location, added) in [
      (channelGate.pointer, locationGate.pointer, residual.pointer), (channelGate.pointer, nil, nil),
      (nil, locationGate.pointer, residual.pointer),
    ] as [(UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?)] {
      let expected = try BlockedMap(shape, batch: 2)
      blan_k_attend_reference(&described, channel, location, added, expected.pointer)
      try onEveryInstructionSet { isa in
        let actual = try BlockedMap(shape, batch: 2)
        blan_k_attend(&described, channel, location, added, actual.pointer, 2)
        #expect(relativeError(actual.buffer, expected.buffer) < 1e-6, "\(shape), isa \(isa)")
      }
    }
  }

  private func description(of map: BlockedMap) -> blan_k_map {
    blan_k_map(
      data: map.pointer, batch: map.batch, channels: map.shape.channels, height: map.shape.height,
      width: map.shape.width)
  }
}

import BLANTensors
import CBLANKernels
import Testing

@Suite struct AttentionBackwardTests {
  /// Channels round a block's edges, maps smaller than the 7x7 kernel, areas below and above a part of 128 locations.
  static let maps = [
    TensorShape(4, 3, 5), TensorShape(16, 8, 8), TensorShape(40, 7, 7), TensorShape(64, 16, 12), TensorShape(17, 1, 1),
    TensorShape(33, 2, 19),
  ]
  static let batch = 2

  private func description(of map: BlockedMap) -> blan_k_map {
    blan_k_map(
      data: map.pointer, batch: map.batch, channels: map.shape.channels, height: map.shape.height,
      width: map.shape.width)
  }

  /// Noise, or values of which many are equal, so that maxima occur more than once. All are below zero: a maximum that
  /// took in padding channels would be zero.
  private func input(_ shape: TensorShape, ties: Bool, _ noise: inout Noise) throws -> BlockedMap {
    let map = try BlockedMap(shape, batch: Self.batch, noise: &noise)
    for image in 0..<Self.batch {
      for channel in 0..<shape.channels {
        for place in 0..<shape.area {
          let value = map[image, channel, place]
          map[image, channel, place] = (ties ? (value * 2).rounded() / 2 : value) - 1.5
        }
      }
    }
    return map
  }

  /// A map each of whose values is the largest by a margin that no step of a difference crosses.
  private func distinct(_ shape: TensorShape) throws -> BlockedMap {
    let map = try BlockedMap(shape, batch: Self.batch)
    let count = Self.batch * shape.count
    for image in 0..<Self.batch {
      for channel in 0..<shape.channels {
        for place in 0..<shape.area {
          let index = (image * shape.channels + channel) * shape.area + place
          map[image, channel, place] = Float(index * 37 % count) / Float(count) * 2 - 0.9
        }
      }
    }
    return map
  }

  /// An MLP with its weights, [hidden][channels], [hidden], [channels][hidden], [channels].
  private struct MLP {
    let hidden: Int
    let buffers: [AlignedBuffer<Float>]

    init(channels: Int, _ random: inout Noise) throws {
      hidden = max(4, channels / 16)
      buffers = try [
        noise(hidden * channels, &random), noise(hidden, &random), noise(hidden * channels, &random),
        noise(channels, &random),
      ]
    }

    var description: blan_k_channel_mlp {
      blan_k_channel_mlp(
        fc1_weight: buffers[0].pointer, fc1_bias: buffers[1].pointer, fc2_weight: buffers[2].pointer,
        fc2_bias: buffers[3].pointer, hidden: hidden)
    }

    static func gradient(_ buffers: [AlignedBuffer<Float>], accumulate: Bool) -> blan_k_channel_mlp_gradient {
      blan_k_channel_mlp_gradient(
        fc1_weight: buffers[0].pointer, fc1_bias: buffers[1].pointer, fc2_weight: buffers[2].pointer,
        fc2_bias: buffers[3].pointer, accumulate: accumulate)
    }
  }

  // MARK: Channel attention

  @Test(arguments: maps, [false, true]) func channelGateMatchesTheReference(shape: TensorShape, ties: Bool) throws {
    var random = Noise(71)
    let map = try input(shape, ties: ties, &random)
    let mlp = try MLP(channels: shape.channels, &random)
    let dGate = try BlockedMap(.vector(shape.channels), batch: Self.batch, noise: &random)
    let beforeMap = try BlockedMap(shape, batch: Self.batch, noise: &random).buffer
    let beforeMLP = try MLP(channels: shape.channels, &random).buffers
    var (described, weights) = (description(of: map), mlp.description)
    let gate = try BlockedMap(.vector(shape.channels), batch: Self.batch)
    blan_k_channel_gate_reference(&described, nil, &weights, gate.pointer)
    for accumulate in [false, true] {
      func results() throws -> [AlignedBuffer<Float>] {
        try beforeMLP.map { try accumulate ? copy($0) : poisoned($0.count) } + [copy(beforeMap)]
      }
      let expected = try results()
      var gradient = MLP.gradient(expected, accumulate: accumulate)
      blan_k_channel_gate_backward_reference(
        &described, &weights, gate.pointer, dGate.pointer, expected[4].pointer, &gradient)
      try expect("\(shape), ties \(ties), accumulate \(accumulate)", matches: expected, within: 1e-5) { threads in
        let actual = try results()
        var gradient = MLP.gradient(actual, accumulate: accumulate)
        let workspace = try poisoned(blan_k_channel_gate_backward_workspace_count(&described, &weights))
        blan_k_channel_gate_backward(
          &described, &weights, gate.pointer, dGate.pointer, actual[4].pointer, &gradient, workspace.pointer, threads)
        return actual
      }
    }
  }

  @Test func channelGatesReferenceBackwardIsTheGradient() throws {
    var random = Noise(72)
    let map = try distinct(TensorShape(6, 2, 3))
    let mlp = try MLP(channels: 6, &random)
    let dGate = try BlockedMap(.vector(6), batch: Self.batch, noise: &random)
    var (described, weights) = (description(of: map), mlp.description)
    let gate = try BlockedMap(.vector(6), batch: Self.batch)
    blan_k_channel_gate_reference(&described, nil, &weights, gate.pointer)
    let dMap = try AlignedBuffer<Float>(count: map.buffer.count)
    let dMLP = try mlp.buffers.map { try poisoned($0.count) }
    var gradient = MLP.gradient(dMLP, accumulate: false)
    blan_k_channel_gate_backward_reference(
      &described, &weights, gate.pointer, dGate.pointer, dMap.pointer, &gradient)
    func loss() -> Double {
      blan_k_channel_gate_reference(&described, nil, &weights, gate.pointer)
      return dot(gate.buffer, dGate.buffer)
    }
    let real = (0..<dMap.count).filter { $0 % 16 < 6 }
    try expectGradient("d_map", dMap, of: map.buffer, at: real, step: 5e-3, tolerance: 2e-3, loss: loss)
    for (index, name) in ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].enumerated() {
      try expectGradient(
        name, dMLP[index], of: mlp.buffers[index], at: Array(0..<dMLP[index].count), step: 5e-3, tolerance: 2e-3,
        loss: loss)
    }
  }

  // MARK: Spatial attention

  @Test(arguments: maps, [false, true]) func spatialGateMatchesTheReference(shape: TensorShape, ties: Bool) throws {
    var random = Noise(73)
    let map = try input(shape, ties: ties, &random)
    let weights = try noise(98, &random)
    for tap in 0..<98 { weights.pointer[tap] *= 0.1 }
    let dGate = try noise(Self.batch * shape.area, &random)
    let beforeMap = try BlockedMap(shape, batch: Self.batch, noise: &random).buffer
    let beforeWeights = try noise(98, &random)
    var described = description(of: map)
    let gate = try AlignedBuffer<Float>(count: Self.batch * shape.area)
    blan_k_spatial_gate_reference(&described, nil, weights.pointer, gate.pointer)
    for accumulate in [false, true] {
      func results() throws -> [AlignedBuffer<Float>] {
        [try copy(beforeMap), try accumulate ? copy(beforeWeights) : poisoned(98)]
      }
      let expected = try results()
      blan_k_spatial_gate_backward_reference(
        &described, weights.pointer, gate.pointer, dGate.pointer, expected[0].pointer, expected[1].pointer, accumulate)
      try expect("\(shape), ties \(ties), accumulate \(accumulate)", matches: expected, within: 1e-5) { threads in
        let actual = try results()
        let workspace = try poisoned(blan_k_spatial_gate_backward_workspace_count(&described))
        blan_k_spatial_gate_backward(
          &described, weights.pointer, gate.pointer, dGate.pointer, actual[0].pointer, actual[1].pointer, accumulate,
          workspace.pointer, threads)
        return actual
      }
    }
  }

  @Test func spatialGatesReferenceBackwardIsTheGradient() throws {
    var random = Noise(74)
    let shape = TensorShape(3, 4, 5)
    let map = try distinct(shape)
    let weights = try noise(98, &random)
    for tap in 0..<98 { weights.pointer[tap] *= 0.2 }
    let dGate = try noise(Self.batch * shape.area, &random)
    var described = description(of: map)
    let gate = try AlignedBuffer<Float>(count: Self.batch * shape.area)
    blan_k_spatial_gate_reference(&described, nil, weights.pointer, gate.pointer)
    let dMap = try AlignedBuffer<Float>(count: map.buffer.count)
    let dWeights = try poisoned(98)
    blan_k_spatial_gate_backward_reference(
      &described, weights.pointer, gate.pointer, dGate.pointer, dMap.pointer, dWeights.pointer, false)
    func loss() -> Double {
      blan_k_spatial_gate_reference(&described, nil, weights.pointer, gate.pointer)
      return dot(gate, dGate)
    }
    let real = (0..<dMap.count).filter { $0 % 16 < 3 }
    try expectGradient("d_map", dMap, of: map.buffer, at: real, step: 5e-3, tolerance: 2e-3, loss: loss)
    try expectGradient(
      "d_weights", dWeights, of: weights, at: Array(0..<98), step: 5e-3, tolerance: 2e-3, loss: loss)
  }

  // MARK: The gated product

  @Test(arguments: maps, [false, true]) func productMatchesTheReference(shape: TensorShape, accumulate: Bool) throws {
    var random = Noise(75)
    let map = try input(shape, ties: false, &random)
    let channelGate = try BlockedMap(.vector(shape.channels), batch: Self.batch, noise: &random).buffer
    let locationGate = try noise(Self.batch * shape.area, &random)
    let dOut = try BlockedMap(shape, batch: Self.batch, noise: &random)
    let beforeMap = try BlockedMap(shape, batch: Self.batch, noise: &random).buffer
    var described = description(of: map)
    for (byChannel, byLocation) in [(true, true), (true, false), (false, true), (false, false)] {
      let channel = byChannel ? channelGate.pointer : nil
      let location = byLocation ? locationGate.pointer : nil
      func results() throws -> [AlignedBuffer<Float>] {
        try [accumulate ? copy(beforeMap) : poisoned(beforeMap.count)]
          + (byChannel ? [poisoned(channelGate.count)] : []) + (byLocation ? [poisoned(locationGate.count)] : [])
      }
      func pointers(_ buffers: [AlignedBuffer<Float>]) -> (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?) {
        (byChannel ? buffers[1].pointer : nil, byLocation ? buffers[buffers.count - 1].pointer : nil)
      }
      let expected = try results()
      blan_k_multiply_backward_reference(
        &described, channel, location, dOut.pointer, expected[0].pointer, accumulate, pointers(expected).0,
        pointers(expected).1)
      try expect("\(shape), gates \(byChannel) \(byLocation)", matches: expected, within: 3e-6) { threads in
        let actual = try results()
        let workspace = try poisoned(blan_k_multiply_backward_workspace_count(&described))
        blan_k_multiply_backward(
          &described, channel, location, dOut.pointer, actual[0].pointer, accumulate, pointers(actual).0,
          pointers(actual).1, workspace.pointer, threads)
        return actual
      }
    }
  }

  @Test func productsReferenceBackwardIsTheGradient() throws {
    var random = Noise(76)
    let shape = TensorShape(5, 2, 3)
    let map = try input(shape, ties: false, &random)
    let channelGate = try BlockedMap(.vector(5), batch: Self.batch, noise: &random).buffer
    let locationGate = try noise(Self.batch * 6, &random)
    let dOut = try BlockedMap(shape, batch: Self.batch, noise: &random).buffer
    var described = description(of: map)
    let dMap = try poisoned(map.buffer.count)
    let dChannel = try poisoned(channelGate.count)
    let dLocation = try poisoned(locationGate.count)
    blan_k_multiply_backward_reference(
      &described, channelGate.pointer, locationGate.pointer, dOut.pointer, dMap.pointer, false, dChannel.pointer,
      dLocation.pointer)
    let out = try poisoned(dOut.count)
    func loss() -> Double {
      blan_k_attend_reference(&described, channelGate.pointer, locationGate.pointer, nil, out.pointer)
      return dot(out, dOut)
    }
    // The product is linear in each factor: a large step costs nothing.
    let real = (0..<dMap.count).filter { $0 % 16 < 5 }
    try expectGradient("d_map", dMap, of: map.buffer, at: real, step: 0.5, tolerance: 1e-5, loss: loss)
    let channels = (0..<dChannel.count).filter { $0 % 16 < 5 }
    try expectGradient(
      "d_channel_gate", dChannel, of: channelGate, at: channels, step: 0.5, tolerance: 1e-5, loss: loss)
    try expectGradient(
      "d_location_gate", dLocation, of: locationGate, at: spread(12), step: 0.5, tolerance: 1e-5, loss: loss)
  }
}

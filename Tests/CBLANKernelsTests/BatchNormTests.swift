import BLANTensors
import CBLANKernels
import Testing

@Suite struct BatchNormTests {
  /// Channels round a block's edges; areas below and above a run of pixels; several chunks in the last three.
  static let shapes = [
    TensorShape(4, 1, 1), TensorShape(16, 3, 1), TensorShape(17, 4, 4), TensorShape(40, 7, 9), TensorShape(64, 5, 5),
    TensorShape(16, 30, 31), TensorShape(33, 24, 24), TensorShape(4, 37, 41),
  ]
  static let batch = 3

  /// A layer with all it reads. Statistics are those of x.
  private struct Layer {
    let map: TensorShape
    var shape: blan_k_norm_shape
    let x: BlockedMap, dOut: BlockedMap, residual: BlockedMap
    let mean, variance, inverseStd, weight, bias: AlignedBuffer<Float>

    init(_ map: TensorShape, batch: Int = BatchNormTests.batch, seed: UInt64, offset: Float = 0) throws {
      var noise = Noise(seed)
      self.map = map
      shape = blan_k_norm_shape(batch: batch, channels: map.channels, area: map.area)
      x = try BlockedMap(map, batch: batch, noise: &noise)
      for image in 0..<batch {
        for channel in 0..<map.channels {
          // Means and spreads that differ from channel to channel.
          for place in 0..<map.area {
            x[image, channel, place] = x[image, channel, place] * (1 + 0.1 * Float(channel)) + 0.3 * Float(channel % 7)
            x[image, channel, place] += offset
          }
        }
      }
      dOut = try BlockedMap(map, batch: batch, noise: &noise)
      residual = try BlockedMap(map, batch: batch, noise: &noise)
      let vector = TensorShape.vector(map.channels)
      weight = try BlockedMap(vector, batch: 1, noise: &noise).buffer
      bias = try BlockedMap(vector, batch: 1, noise: &noise).buffer
      mean = try BlockedMap(vector, batch: 1).buffer
      variance = try BlockedMap(vector, batch: 1).buffer
      inverseStd = try BlockedMap(vector, batch: 1).buffer
      refreshStatistics()
    }

    func refreshStatistics() {
      var shape = shape
      blan_k_batch_norm_statistics_reference(&shape, x.pointer, mean.pointer, variance.pointer)
      for channel in 0..<map.channels {
        inverseStd.pointer[channel] = 1 / (variance.pointer[channel] + 1e-5).squareRoot()
      }
    }

    func workspace() throws -> AlignedBuffer<Float> {
      var shape = shape
      return try poisoned(blan_k_batch_norm_workspace_count(&shape))
    }

    func forwardReference(relu: Bool, residual added: Bool) throws -> AlignedBuffer<Float> {
      var shape = shape
      let out = try poisoned(x.buffer.count)
      blan_k_batch_norm_forward_reference(
        &shape, out.pointer, x.pointer, mean.pointer, inverseStd.pointer, weight.pointer, bias.pointer,
        added ? residual.pointer : nil, relu)
      return out
    }

    func gradient(relu: Bool = false, frozen: Bool = false, accumulate: Bool = false, out: AlignedBuffer<Float>? = nil)
      -> blan_k_batch_norm_gradient
    {
      blan_k_batch_norm_gradient(
        d_out: dOut.pointer, out: out.map { UnsafePointer($0.pointer) }, x: x.pointer, mean: mean.pointer,
        inverse_std: inverseStd.pointer, weight: weight.pointer, d_x: nil, d_residual: nil, d_weight: nil, d_bias: nil,
        relu: relu, frozen: frozen, accumulate_residual: accumulate, accumulate_parameters: accumulate)
    }
  }

  @Test(arguments: shapes, [0, 100] as [Float]) func statisticsMatchTheReference(map: TensorShape, offset: Float) throws
  {
    let layer = try Layer(map, seed: 41, offset: offset)
    var shape = layer.shape
    try expect("mean, variance of \(map) + \(offset)", matches: [layer.mean, layer.variance], within: 1e-6) { threads in
      let mean = try poisoned(layer.mean.count)
      let variance = try poisoned(layer.mean.count)
      let workspace = try layer.workspace()
      blan_k_batch_norm_statistics(
        &shape, layer.x.pointer, mean.pointer, variance.pointer, workspace.pointer, threads)
      return [mean, variance]
    }
    #expect((map.channels..<layer.mean.count).allSatisfy { layer.mean.pointer[$0] == 0 })
  }

  /// The variance of values that differ from a thousand by a thousandth: squares less the squared mean would be noise, and
  /// so would deviations from a mean rounded to a float.
  @Test func aFarMeanDoesNotSpoilTheVariance() throws {
    var shape = blan_k_norm_shape(batch: 2, channels: 16, area: 700)
    var random = Noise(40)
    let x = try noise(2 * 16 * 700, &random)
    for index in 0..<x.count { x.pointer[index] = 1000.3 + x.pointer[index] / 1024 }
    let expected = try (0..<2).map { _ in try AlignedBuffer<Float>(count: 16) }
    blan_k_batch_norm_statistics_reference(&shape, x.pointer, expected[0].pointer, expected[1].pointer)
    try expect("mean and variance", matches: expected, within: 1e-6) { threads in
      let actual = try (0..<2).map { _ in try poisoned(16) }
      let workspace = try poisoned(blan_k_batch_norm_workspace_count(&shape))
      blan_k_batch_norm_statistics(
        &shape, x.pointer, actual[0].pointer, actual[1].pointer, workspace.pointer, threads)
      return actual
    }
  }

  @Test(arguments: shapes) func forwardMatchesTheReference(map: TensorShape) throws {
    let layer = try Layer(map, seed: 42)
    var shape = layer.shape
    for (relu, added) in [(false, false), (false, true), (true, false), (true, true)] {
      let expected = try layer.forwardReference(relu: relu, residual: added)
      try expect("\(map), relu \(relu), residual \(added)", matches: [expected, expected], within: 1e-6) { threads in
        let out = try poisoned(expected.count)
        let within = try copy(layer.x.buffer)
        for (target, source) in [(out, layer.x.buffer), (within, within)] {
          blan_k_batch_norm_forward(
            &shape, target.pointer, source.pointer, layer.mean.pointer, layer.inverseStd.pointer,
            layer.weight.pointer, layer.bias.pointer, added ? layer.residual.pointer : nil, relu, threads)
        }
        return [out, within]
      }
    }
  }

  /// What the formula says of single numbers, and of normalised maps: mean `bias`, standard deviation `weight`.
  @Test func referenceNormalises() throws {
    let layer = try Layer(TensorShape(3, 8, 8), seed: 43)
    let out = try layer.forwardReference(relu: false, residual: false)
    let map = try BlockedMap(layer.map, batch: Self.batch)
    map.pointer.update(from: out.pointer, count: out.count)
    for channel in 0..<3 {
      let values = (0..<Self.batch * 64).map { Double(map[$0 / 64, channel, $0 % 64]) }
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      #expect(abs(mean - Double(layer.bias.pointer[channel])) < 1e-5)
      #expect(abs(variance.squareRoot() - abs(Double(layer.weight.pointer[channel]))) < 1e-4)
    }
    let clipped = try layer.forwardReference(relu: true, residual: false)
    #expect((0..<out.count).allSatisfy { clipped.pointer[$0] == max(out.pointer[$0], 0) })
  }

  @Test func reluKeepsNaN() throws {
    let layer = try Layer(TensorShape(16, 2, 2), seed: 44)
    var shape = layer.shape
    layer.x[1, 3, 2] = .nan
    onEveryInstructionSet { isa in
      blan_k_batch_norm_forward(
        &shape, layer.dOut.pointer, layer.x.pointer, layer.mean.pointer, layer.inverseStd.pointer,
        layer.weight.pointer, layer.bias.pointer, nil, true, 1)
      #expect(layer.dOut[1, 3, 2].isNaN, "isa \(isa)")
      #expect((0..<layer.dOut.buffer.count).filter { layer.dOut.pointer[$0].isNaN }.count == 1, "isa \(isa)")
    }
  }

  @Test(arguments: shapes) func backwardMatchesTheReference(map: TensorShape) throws {
    let layer = try Layer(map, seed: 45)
    var shape = layer.shape
    var noise = Noise(46)
    let before = try BlockedMap(map, batch: Self.batch, noise: &noise).buffer
    let parameters = try BlockedMap(.vector(map.channels), batch: 1, noise: &noise).buffer
    for (relu, frozen, accumulate) in [
      (false, false, false), (true, false, false), (true, false, true), (false, true, true), (true, true, false),
    ] {
      let out = relu ? try layer.forwardReference(relu: true, residual: true) : nil
      func run(_ residual: Bool, _ body: (inout blan_k_batch_norm_gradient) throws -> Void) throws
        -> [AlignedBuffer<Float>]
      {
        let results = [
          try poisoned(before.count), accumulate ? try copy(before) : try poisoned(before.count),
          accumulate ? try copy(parameters) : try poisoned(parameters.count),
          accumulate ? try copy(parameters) : try poisoned(parameters.count),
        ]
        var gradient = layer.gradient(relu: relu, frozen: frozen, accumulate: accumulate, out: out)
        gradient.d_x = results[0].pointer
        gradient.d_residual = residual ? results[1].pointer : nil
        gradient.d_weight = results[2].pointer
        gradient.d_bias = results[3].pointer
        try body(&gradient)
        return residual ? results : [results[0], results[2], results[3]]
      }
      for residual in [true, false] {
        let expected = try run(residual) { blan_k_batch_norm_backward_reference(&shape, &$0) }
        try expect(
          "\(map), relu \(relu), frozen \(frozen), accumulate \(accumulate)", matches: expected, within: 3e-6
        ) { threads in
          try run(residual) {
            let workspace = try layer.workspace()
            blan_k_batch_norm_backward(&shape, &$0, workspace.pointer, threads)
          }
        }
      }
    }
  }

  /// Two parts of the batch, their sums added, give what the whole gives.
  @Test(arguments: shapes) func partsOfABatchMakeTheWhole(map: TensorShape) throws {
    let layer = try Layer(map, seed: 50)
    var whole = layer.shape
    let out = try layer.forwardReference(relu: true, residual: false)
    let padded = layer.mean.count
    let row = layer.x.buffer.count / Self.batch
    func results() throws -> (dX: AlignedBuffer<Float>, parameters: AlignedBuffer<Float>) {
      (try poisoned(layer.x.buffer.count), try poisoned(2 * padded))
    }
    func gradient(_ to: (dX: AlignedBuffer<Float>, parameters: AlignedBuffer<Float>), first: Int)
      -> blan_k_batch_norm_gradient
    {
      var gradient = layer.gradient(relu: true, out: out)
      gradient.d_out += first * row
      gradient.out += first * row
      gradient.x += first * row
      gradient.d_x = to.dX.pointer + first * row
      (gradient.d_weight, gradient.d_bias) = (to.parameters.pointer, to.parameters.pointer + padded)
      return gradient
    }
    let expected = try results()
    var reference = gradient(expected, first: 0)
    blan_k_batch_norm_backward_reference(&whole, &reference)
    try expect("\(map)", matches: [expected.dX, expected.parameters], within: 3e-6) { threads in
      let actual = try results()
      let workspace = try layer.workspace()
      let totals = try AlignedBuffer<Float>(count: 2 * padded)
      let sum = try AlignedBuffer<Float>(count: 2 * padded)
      let parts = [(first: 0, images: 1), (first: 1, images: Self.batch - 1)]
      for part in parts {
        var shape = blan_k_norm_shape(batch: part.images, channels: map.channels, area: map.area)
        var gradient = gradient(actual, first: part.first)
        gradient.accumulate_parameters = part.first > 0
        blan_k_batch_norm_backward_sums(&shape, &gradient, sum.pointer, workspace.pointer, threads)
        for index in 0..<sum.count { totals.pointer[index] += sum.pointer[index] }
      }
      for part in parts {
        var shape = blan_k_norm_shape(batch: part.images, channels: map.channels, area: map.area)
        var gradient = gradient(actual, first: part.first)
        blan_k_batch_norm_backward_totals(
          &shape, &gradient, totals.pointer, Double(Self.batch * map.area), workspace.pointer, threads)
      }
      return [actual.dX, actual.parameters]
    }
  }

  /// The two ways in which the gradient may overwrite what it comes from.
  @Test(arguments: shapes) func gradientsMayTakeThePlaceOfDOut(map: TensorShape) throws {
    let layer = try Layer(map, seed: 47)
    var shape = layer.shape
    let out = try layer.forwardReference(relu: true, residual: false)
    let parameters = try poisoned(2 * layer.mean.count)
    var gradient = layer.gradient(relu: true, out: out)
    gradient.d_weight = parameters.pointer
    gradient.d_bias = parameters.pointer + layer.mean.count
    let dX = try poisoned(out.count)
    let dResidual = try poisoned(out.count)
    gradient.d_x = dX.pointer
    gradient.d_residual = dResidual.pointer
    blan_k_batch_norm_backward_reference(&shape, &gradient)
    for overwriting in ["d_x", "d_residual"] {
      try expect("\(map), \(overwriting) is d_out", matches: [dX, dResidual], within: 3e-6) { threads in
        let shared = try copy(layer.dOut.buffer)
        let other = try poisoned(out.count)
        var gradient = gradient
        gradient.d_out = UnsafePointer(shared.pointer)
        gradient.d_x = overwriting == "d_x" ? shared.pointer : other.pointer
        gradient.d_residual = overwriting == "d_x" ? other.pointer : shared.pointer
        let workspace = try layer.workspace()
        blan_k_batch_norm_backward(&shape, &gradient, workspace.pointer, threads)
        return overwriting == "d_x" ? [shared, other] : [other, shared]
      }
    }
  }

  /// The gradient through the statistics too, against central differences of statistics and forward. With the ReLU, d_out
  /// is zero where out is: there the sum of g * (out before the ReLU) has the same gradient, and no kink.
  @Test(arguments: [false, true], [false, true]) func referenceBackwardIsTheGradient(relu: Bool, frozen: Bool) throws {
    let layer = try Layer(TensorShape(5, 3, 3), batch: 2, seed: 48)
    var shape = layer.shape
    let out = try layer.forwardReference(relu: relu, residual: false)
    let dX = try poisoned(out.count)
    let dResidual = try poisoned(out.count)
    let dWeight = try poisoned(16)
    let dBias = try poisoned(16)
    var gradient = layer.gradient(relu: relu, frozen: frozen, out: out)
    (gradient.d_x, gradient.d_residual) = (dX.pointer, dResidual.pointer)
    (gradient.d_weight, gradient.d_bias) = (dWeight.pointer, dBias.pointer)
    blan_k_batch_norm_backward_reference(&shape, &gradient)
    let kept = try copy(layer.dOut.buffer)
    for index in 0..<kept.count where relu && out.pointer[index] <= 0 { kept.pointer[index] = 0 }
    #expect(sameBits(dResidual, kept))

    func loss() throws -> Double {
      if !frozen { layer.refreshStatistics() }
      return dot(try layer.forwardReference(relu: false, residual: false), kept)
    }
    let real = (0..<out.count).filter { $0 % 16 < 5 }
    try expectGradient(
      "d_x", dX, of: layer.x.buffer, at: real, step: 1e-2, tolerance: 2e-3, loss: loss)
    try expectGradient(
      "d_weight", dWeight, of: layer.weight, at: [0, 1, 2, 3, 4], step: 1e-1, tolerance: 1e-4, loss: loss)
    try expectGradient("d_bias", dBias, of: layer.bias, at: [0, 1, 2, 3, 4], step: 1e-1, tolerance: 1e-4, loss: loss)
  }
}

import BLANTensors
import CBLANKernels
import Foundation
import Synchronization
import Testing

@Suite struct LinearTrainingTests {
  /// Channels and outputs round a block's edges; outputs and inputs below, at and above a task's share of them.
  static let layers: [(map: TensorShape, outputs: Int, batch: Int)] = [
    (TensorShape(4, 1, 1), 1, 1), (TensorShape(17, 1, 1), 16, 2), (TensorShape(40, 3, 5), 10, 3),
    (TensorShape(16, 4, 8), 80, 4), (TensorShape(64, 4, 4), 33, 3), (TensorShape(512, 1, 1), 80, 5),
  ]

  private struct Layer {
    var shape: blan_k_linear_shape
    let x: BlockedMap, dOut: BlockedMap
    let weights, bias: AlignedBuffer<Float>

    init(_ map: TensorShape, outputs: Int, batch: Int, seed: UInt64) throws {
      var random = Noise(seed)
      shape = blan_k_linear_shape(batch: batch, channels: map.channels, area: map.area, outputs: outputs)
      x = try BlockedMap(map, batch: batch, noise: &random)
      dOut = try BlockedMap(.vector(outputs), batch: batch, noise: &random)
      weights = try noise(outputs * map.count, &random)
      bias = try noise(outputs, &random)
    }

    func workspace(_ threads: Int32) throws -> AlignedBuffer<Float> {
      var shape = shape
      return try poisoned(blan_k_linear_training_workspace_count(&shape))
    }

    func forwardReference() throws -> AlignedBuffer<Float> {
      var shape = shape
      let out = try poisoned(dOut.buffer.count)
      blan_k_linear_training_forward_reference(&shape, out.pointer, x.pointer, weights.pointer, bias.pointer)
      return out
    }
  }

  @Test(arguments: layers) func forwardMatchesTheReference(map: TensorShape, outputs: Int, batch: Int) throws {
    let layer = try Layer(map, outputs: outputs, batch: batch, seed: 51)
    var shape = layer.shape
    let expected = try layer.forwardReference()
    try expect("\(map) to \(outputs)", matches: [expected], within: 3e-6) { threads in
      let out = try poisoned(expected.count)
      let workspace = try layer.workspace(threads)
      blan_k_linear_training_forward(
        &shape, out.pointer, layer.x.pointer, layer.weights.pointer, layer.bias.pointer, workspace.pointer, threads)
      return [out]
    }
  }

  @Test(arguments: layers) func backwardMatchesTheReference(map: TensorShape, outputs: Int, batch: Int) throws {
    let layer = try Layer(map, outputs: outputs, batch: batch, seed: 52)
    var shape = layer.shape
    var noise = Noise(53)
    let beforeX = try BlockedMap(map, batch: batch, noise: &noise).buffer
    let beforeWeights = try CBLANKernelsTests.noise(layer.weights.count, &noise)
    let beforeBias = try CBLANKernelsTests.noise(outputs, &noise)
    for (wanted, accumulateX, accumulate) in [
      (true, false, false), (true, true, false), (true, false, true), (false, false, true),
    ] {
      func results() throws -> [AlignedBuffer<Float>] {
        let parameters = try [beforeWeights, beforeBias].map { try accumulate ? copy($0) : poisoned($0.count) }
        return parameters + (wanted ? [try accumulateX ? copy(beforeX) : poisoned(beforeX.count)] : [])
      }
      let expected = try results()
      blan_k_linear_backward_reference(
        &shape, wanted ? expected[2].pointer : nil, accumulateX, expected[0].pointer, expected[1].pointer, accumulate,
        layer.dOut.pointer, layer.x.pointer, layer.weights.pointer)
      try expect(
        "\(map) to \(outputs), d_x \(wanted), accumulate \(accumulateX) \(accumulate)", matches: expected, within: 3e-6
      ) { threads in
        let actual = try results()
        let workspace = try layer.workspace(threads)
        blan_k_linear_backward(
          &shape, wanted ? actual[2].pointer : nil, accumulateX, actual[0].pointer, actual[1].pointer, accumulate,
          layer.dOut.pointer, layer.x.pointer, layer.weights.pointer, workspace.pointer, threads)
        return actual
      }
    }
  }

  @Test func referenceBackwardIsTheGradient() throws {
    let map = TensorShape(5, 2, 3)
    let layer = try Layer(map, outputs: 7, batch: 2, seed: 54)
    var shape = layer.shape
    let dX = try poisoned(layer.x.buffer.count)
    let dWeights = try poisoned(layer.weights.count)
    let dBias = try poisoned(7)
    blan_k_linear_backward_reference(
      &shape, dX.pointer, false, dWeights.pointer, dBias.pointer, false, layer.dOut.pointer, layer.x.pointer,
      layer.weights.pointer)
    func loss() throws -> Double { dot(try layer.forwardReference(), layer.dOut.buffer) }
    // The layer is linear: a large step costs nothing.
    let real = (0..<dX.count).filter { $0 % 16 < 5 }
    try expectGradient("d_x", dX, of: layer.x.buffer, at: real, step: 1, tolerance: 1e-5, loss: loss)
    try expectGradient(
      "d_weights", dWeights, of: layer.weights, at: spread(dWeights.count), step: 1, tolerance: 1e-5, loss: loss)
    try expectGradient("d_bias", dBias, of: layer.bias, at: spread(7), step: 1, tolerance: 1e-5, loss: loss)
  }

  /// Several threads with products at once, so often that OpenBLAS without a lock around it (see sgemm.h) mixes up their
  /// buffers.
  @Test func concurrentCallsAgree() throws {
    struct Work: @unchecked Sendable {
      let layer: Layer
      let workspace: AlignedBuffer<Float>
      let expected: [AlignedBuffer<Float>]
      let actual: [AlignedBuffer<Float>]

      init(_ map: TensorShape, batch: Int) throws {
        layer = try Layer(map, outputs: 64, batch: batch, seed: 55)
        workspace = try layer.workspace(1)
        let sizes = [batch * 64, layer.weights.count, 64]
        expected = try sizes.map { try poisoned($0) }
        actual = try sizes.map { try poisoned($0) }
        run(into: expected)
      }

      func run(into results: [AlignedBuffer<Float>]) {
        var shape = layer.shape
        blan_k_linear_training_forward(
          &shape, results[0].pointer, layer.x.pointer, layer.weights.pointer, layer.bias.pointer, workspace.pointer, 1)
        blan_k_linear_backward(
          &shape, nil, false, results[1].pointer, results[2].pointer, false, layer.dOut.pointer, layer.x.pointer,
          layer.weights.pointer, workspace.pointer, 1)
      }

      /// Whether a round gives the same as the first.
      func agrees() -> Bool {
        run(into: actual)
        return zip(actual, expected).allSatisfy { sameBits($0, $1) }
      }
    }
    let layers = [(64, 1, 3), (64, 4, 4), (64, 8, 8), (16, 4, 8)]
    let threads = try (0..<6).map { _ in
      try layers.map { channels, side, batch in try Work(TensorShape(channels, side, side), batch: batch) }
    }
    let differing = Mutex(0)
    let finished = DispatchSemaphore(value: 0)
    // More threads than cores: a product is interrupted in its middle again and again.
    for (first, works) in threads.enumerated() {
      Thread.detachNewThread {
        let count = (0..<12_000).count { !works[(first + $0) % works.count].agrees() }
        differing.withLock { $0 += count }
        finished.signal()
      }
    }
    for _ in threads { finished.wait() }
    #expect(differing.withLock { $0 } == 0)
  }
}

import BLANTensors
import CBLANKernels
import Testing

/// A reconstruction head with everything that a call reads.
private struct Head {
  struct Case: Sendable {
    var batch = 1
    var channels = 16
    var height = 4
    var width = 4
    var factor = 4
  }

  /// What a call writes.
  struct Result {
    let map: BlockedMap
    let weights: AlignedBuffer<Float>
    let bias: AlignedBuffer<Float>
    let reconstruction: AlignedBuffer<Float>

    var all: [AlignedBuffer<Float>] { [map.buffer, weights, bias, reconstruction] }
  }

  let shape: blan_k_reconstruction_shape
  let map: BlockedMap
  let pixels: AlignedBuffer<Float>
  let weights: AlignedBuffer<Float>
  let bias: AlignedBuffer<Float>

  init(_ c: Case, seed: UInt64) throws {
    var noise = Noise(seed)
    shape = blan_k_reconstruction_shape(
      batch: c.batch, channels: c.channels, height: c.height, width: c.width, factor: c.factor)
    map = try BlockedMap(TensorShape(c.channels, c.height, c.width), batch: c.batch, noise: &noise)
    pixels = try AlignedBuffer<Float>(count: c.batch * 3 * c.height * c.factor * c.width * c.factor)
    weights = try AlignedBuffer<Float>(count: 3 * c.channels * 49)
    bias = try AlignedBuffer<Float>(count: 3)
    for buffer in [pixels, weights, bias] { noise.fill(buffer) }
  }

  func result() throws -> Result {
    var noise = Noise(98)
    let result = Result(
      map: try BlockedMap(map.shape, batch: map.batch, noise: &noise),
      weights: try AlignedBuffer<Float>(count: weights.count), bias: try AlignedBuffer<Float>(count: bias.count),
      reconstruction: try AlignedBuffer<Float>(count: pixels.count))
    noise.fill(result.weights)
    noise.fill(result.bias)
    return result
  }

  /// The loss and, with `result`, gradients and reconstruction. `threads` nil = the reference.
  func run(
    _ result: Result?, scale: Float, accumulate: Bool, threads: Int32?, wantsMap: Bool = true
  ) throws -> Double {
    var shape = shape
    guard let threads else {
      return blan_k_reconstruction_reference(
        &shape, map.pointer, pixels.pointer, weights.pointer, bias.pointer, scale, result?.map.pointer, accumulate,
        result?.weights.pointer, result?.bias.pointer, accumulate, result?.reconstruction.pointer)
    }
    let workspace = try poisoned(blan_k_reconstruction_workspace_count(&shape, threads))
    return blan_k_reconstruction(
      &shape, map.pointer, pixels.pointer, weights.pointer, bias.pointer, scale, wantsMap ? result?.map.pointer : nil,
      accumulate, result?.weights.pointer, result?.bias.pointer, accumulate, result?.reconstruction.pointer,
      workspace.pointer, threads)
  }
}

@Suite struct ReconstructionTests {
  private static let cases = [
    Head.Case(),
    Head.Case(batch: 3, channels: 20, height: 5, width: 7),
    Head.Case(batch: 2, channels: 4, height: 2, width: 3),
    Head.Case(batch: 2, channels: 36, height: 6, width: 4, factor: 8),
    Head.Case(batch: 2, channels: 4, height: 1, width: 5, factor: 5),
    // More than one chunk of images, the last of them smaller.
    Head.Case(batch: 3, channels: 4, height: 96, width: 72),
  ]

  @Test(arguments: cases.indices) func matchesTheReference(index: Int) throws {
    let head = try Head(Self.cases[index], seed: UInt64(index) + 20)
    for accumulate in [false, true] {
      // A scale that keeps gradients about as large as what they are added to.
      let scale = Float(head.pixels.count)
      let expected = try head.result()
      let loss = try head.run(expected, scale: scale, accumulate: accumulate, threads: nil)
      try onEveryInstructionSet { isa in
        var first: [[Float]]?
        for threads in [1, 2, 5] as [Int32] {
          let actual = try head.result()
          let actualLoss = try head.run(actual, scale: scale, accumulate: accumulate, threads: threads)
          #expect(abs(actualLoss - loss) <= 2e-6 * loss, "case \(index), isa \(isa)")
          for (place, pair) in zip(actual.all, expected.all).enumerated() {
            #expect(relativeError(pair.0, pair.1) <= 3e-5, "case \(index), result \(place), isa \(isa)")
          }
          let values = actual.all.map { Array($0.elements) }
          #expect(first == nil || first == values, "\(threads) threads differ: case \(index), isa \(isa)")
          first = values
          #expect(try head.run(nil, scale: scale, accumulate: accumulate, threads: threads) == actualLoss)
        }
      }
    }
  }

  /// A map whose gradient nobody wants, in one chunk of images and in several.
  @Test(arguments: [1, 5]) func aMapWithoutGradient(index: Int) throws {
    let head = try Head(Self.cases[index], seed: 5)
    let all = try head.result()
    let some = try head.result()
    let untouched = try head.result()
    let loss = try head.run(all, scale: 1, accumulate: true, threads: 2)
    #expect(try head.run(some, scale: 1, accumulate: true, threads: 2, wantsMap: false) == loss)
    for (place, pair) in zip(some.all, [untouched.map.buffer, all.weights, all.bias, all.reconstruction]).enumerated() {
      #expect(Array(pair.0.elements) == Array(pair.1.elements), "result \(place)")
    }
  }

  /// The loss is quadratic in every parameter, so central differences are exact but for rounding.
  @Test func referenceMatchesFiniteDifferences() throws {
    let head = try Head(Self.cases[1], seed: 78)
    let result = try head.result()
    _ = try head.run(result, scale: 2, accumulate: false, threads: nil)
    var checked = 0
    for (place, (buffer, gradient)) in zip([head.map.buffer, head.weights, head.bias], result.all).enumerated() {
      let largest = gradient.elements.map(abs).max() ?? 0
      for cell in stride(from: 0, to: buffer.count, by: max(1, buffer.count / 20)) {
        let before = buffer.pointer[cell]
        // Padding channels are no parameters.
        if place == 0 && before == 0 { continue }
        buffer.pointer[cell] = before + 0.5
        let above = Double(buffer.pointer[cell])
        let more = try head.run(nil, scale: 1, accumulate: false, threads: nil)
        buffer.pointer[cell] = before - 0.5
        let below = Double(buffer.pointer[cell])
        let less = try head.run(nil, scale: 1, accumulate: false, threads: nil)
        buffer.pointer[cell] = before
        let expected = 2 * (more - less) / (above - below)
        #expect(
          abs(Double(gradient.pointer[cell]) - expected) <= 1e-5 * Double(largest), "buffer \(place), cell \(cell)")
        checked += 1
      }
    }
    #expect(checked > 30)
  }
}

import BLANTensors
import CBLANKernels
import Testing

/// One LMIM level with everything that a call reads and writes.
private struct Discriminator {
  struct Case: Sendable {
    var batch = 2
    var borrows = false
    var features = (16, 0)
    var upsample = (1, 1)
    var height = 4
    var width = 4
    var embedding = 16
    var hidden = 16
  }

  /// Gradients, in the order: conv1..3 weight and bias, features, embeddings.
  struct Gradients {
    let weights: [AlignedBuffer<Float>]
    let features: [AlignedBuffer<Float>]
    let embeddings: AlignedBuffer<Float>

    var all: [AlignedBuffer<Float>] { weights + features + [embeddings] }
  }

  let c: Case
  let shape: blan_k_lmim_shape
  let weights: [AlignedBuffer<Float>]
  let features: [BlockedMap]
  let embeddings: BlockedMap

  init(_ c: Case, seed: UInt64) throws {
    var noise = Noise(seed)
    self.c = c
    shape = blan_k_lmim_shape(
      batch: c.batch, borrows: c.borrows, feature_channels: (c.features.0, c.features.1), feature_upsample: c.upsample,
      height: c.height,
      width: c.width, embedding: c.embedding, hidden: c.hidden)
    weights = try Self.weightCounts(c).map { try AlignedBuffer<Float>(count: $0) }
    for buffer in weights { noise.fill(buffer) }
    features = try [
      BlockedMap(
        TensorShape(c.features.0, c.height / c.upsample.0, c.width / c.upsample.0), batch: c.batch, noise: &noise),
      BlockedMap(
        TensorShape(c.features.1, c.height / c.upsample.1, c.width / c.upsample.1), batch: c.batch, noise: &noise),
    ]
    embeddings = try BlockedMap(.vector(c.embedding), batch: c.batch + (c.borrows ? 1 : 0), noise: &noise)
  }

  static func weightCounts(_ c: Case) -> [Int] {
    let inputs = c.features.0 + c.features.1 + c.embedding
    return [c.hidden * inputs, c.hidden, c.hidden * c.hidden, c.hidden, c.hidden, 1]
  }

  /// Gradient buffers that already hold something where the calls below accumulate.
  func gradients(filled: Bool) throws -> Gradients {
    var noise = Noise(99)
    let result = Gradients(
      weights: try weights.map { try AlignedBuffer<Float>(count: $0.count) },
      features: try features.map { try AlignedBuffer<Float>(count: $0.buffer.count) },
      embeddings: try AlignedBuffer<Float>(count: embeddings.buffer.count))
    if filled {
      for buffer in result.weights + result.features {
        noise.fill(buffer)
        for index in 0..<buffer.count { buffer.pointer[index] *= 0.01 }
      }
    }
    return result
  }

  private func pack(_ buffers: [AlignedBuffer<Float>]) -> blan_k_lmim_weights {
    blan_k_lmim_weights(
      conv1_weight: buffers[0].pointer, conv1_bias: buffers[1].pointer, conv2_weight: buffers[2].pointer,
      conv2_bias: buffers[3].pointer, conv3_weight: buffers[4].pointer, conv3_bias: buffers[5].pointer)
  }

  /// The loss; with `gradients`, `scale` times them as well. `threads` nil = the reference.
  func run(
    _ gradients: Gradients?, scale: Float, accumulate: Bool, threads: Int32?, wanted: (Bool, Bool) = (true, true)
  ) throws -> Double {
    var shape = shape
    var packed = pack(weights)
    let maps: [UnsafePointer<Float>?] = features.map { UnsafePointer($0.pointer) }
    let dMaps = [wanted.0, wanted.1].enumerated().map { place, wanted in
      wanted ? gradients?.features[place].pointer : nil
    }
    let accumulates = [accumulate, accumulate]
    func call(_ dWeights: UnsafePointer<blan_k_lmim_weights>?) throws -> Double {
      guard let threads else {
        return blan_k_lmim_reference(
          &shape, &packed, maps, embeddings.pointer, scale, dWeights, accumulate, dMaps, accumulates,
          gradients?.embeddings.pointer)
      }
      let workspace = try poisoned(blan_k_lmim_workspace_count(&shape, threads))
      return blan_k_lmim(
        &shape, &packed, maps, embeddings.pointer, scale, dWeights, accumulate, dMaps, accumulates,
        gradients?.embeddings.pointer, workspace.pointer, threads)
    }
    guard let gradients else { return try call(nil) }
    var dWeights = pack(gradients.weights)
    return try withUnsafePointer(to: &dWeights) { try call($0) }
  }
}

@Suite struct MutualInformationTests {
  private static let cases = [
    Discriminator.Case(),
    Discriminator.Case(batch: 3, features: (20, 0), height: 5, width: 7, embedding: 36, hidden: 20),
    Discriminator.Case(batch: 2, features: (4, 0), height: 2, width: 2, embedding: 4, hidden: 4),
    Discriminator.Case(batch: 5, features: (36, 20), upsample: (1, 2), height: 6, width: 4, embedding: 20, hidden: 36),
    Discriminator.Case(batch: 2, features: (16, 32), upsample: (2, 1), height: 4, width: 8, embedding: 16, hidden: 32),
    // More than one chunk of images, the last of them smaller.
    Discriminator.Case(batch: 5, features: (4, 0), height: 48, width: 40, embedding: 4, hidden: 4),
    // The last image's fake pair takes an embedding from outside.
    Discriminator.Case(batch: 1, borrows: true, features: (20, 0), height: 5, width: 7, embedding: 36, hidden: 20),
    Discriminator.Case(
      batch: 3, borrows: true, features: (16, 32), upsample: (2, 1), height: 4, width: 8, embedding: 16, hidden: 32),
    // Several lists of active inputs, groups of output blocks and strips, none of them full in the end.
    Discriminator.Case(batch: 1, borrows: true, features: (20, 0), height: 19, width: 27, embedding: 36, hidden: 132),
    // Output channels in parts for five threads.
    Discriminator.Case(batch: 2, features: (4, 0), height: 3, width: 3, embedding: 4, hidden: 272),
  ]

  @Test(arguments: cases.indices) func matchesTheReference(index: Int) throws {
    let level = try Discriminator(Self.cases[index], seed: UInt64(index) + 10)
    for accumulate in [false, true] {
      let expected = try level.gradients(filled: true)
      let loss = try level.run(expected, scale: 0.7, accumulate: accumulate, threads: nil)
      try onEveryInstructionSet { isa in
        var first: [[Float]]?
        var firstLoss: Double?
        for threads in [1, 2, 5] as [Int32] {
          let actual = try level.gradients(filled: true)
          let actualLoss = try level.run(actual, scale: 0.7, accumulate: accumulate, threads: threads)
          #expect(abs(actualLoss - loss) <= 2e-6 * loss, "case \(index), isa \(isa)")
          for (place, pair) in zip(actual.all, expected.all).enumerated() where pair.1.count > 0 {
            #expect(relativeError(pair.0, pair.1) <= 2e-5, "case \(index), gradient \(place), isa \(isa)")
          }
          let values = actual.all.map { Array($0.elements) }
          #expect(first == nil || first == values, "\(threads) threads differ: case \(index), isa \(isa)")
          #expect(firstLoss == nil || firstLoss == actualLoss)
          first = values
          firstLoss = actualLoss
          #expect(try level.run(nil, scale: 0.7, accumulate: accumulate, threads: threads) == actualLoss)
        }
      }
    }
  }

  /// Features whose gradient nobody wants, in one chunk of images and in several.
  @Test(arguments: [3, 5], [(false, false), (false, true), (true, false)])
  func featuresWithoutGradients(index: Int, wanted: (Bool, Bool)) throws {
    let level = try Discriminator(Self.cases[index], seed: 3)
    for threads in [1, 2] as [Int32] {
      let all = try level.gradients(filled: true)
      let some = try level.gradients(filled: true)
      let untouched = try level.gradients(filled: true)
      let loss = try level.run(all, scale: 1, accumulate: true, threads: threads)
      #expect(try level.run(some, scale: 1, accumulate: true, threads: threads, wanted: wanted) == loss)
      let expected =
        all.weights + [wanted.0 ? all.features[0] : untouched.features[0]]
        + [wanted.1 ? all.features[1] : untouched.features[1], all.embeddings]
      for (place, pair) in zip(some.all, expected).enumerated() {
        #expect(Array(pair.0.elements) == Array(pair.1.elements), "gradient \(place)")
      }
    }
  }

  /// A diverged network must not look like one that is off.
  @Test(arguments: [0, 2]) func notANumberIsSeen(buffer: Int) throws {
    let level = try Discriminator(Self.cases[1], seed: 6)
    level.weights[buffer].pointer[5] = .nan
    try onEveryInstructionSet { isa in
      let loss = try level.run(nil, scale: 1, accumulate: false, threads: 2)
      #expect(loss.isNaN, "isa \(isa)")
    }
  }

  /// Biases that leave no output of a layer, or every one, above zero: lists and masks are empty or full.
  @Test(arguments: [(-100, 0), (100, -10_000), (100, 10_000)] as [(Float, Float)])
  func layersAllOffOrOn(first: Float, second: Float) throws {
    let level = try Discriminator(
      Discriminator.Case(batch: 2, features: (20, 0), height: 5, width: 7, embedding: 36, hidden: 84), seed: 4)
    for index in 0..<level.c.hidden {
      level.weights[1].pointer[index] += first
      level.weights[3].pointer[index] += second
      level.weights[4].pointer[index] *= 1e-5  // scores that do not saturate the loss
    }
    let expected = try level.gradients(filled: false)
    let loss = try level.run(expected, scale: 1, accumulate: false, threads: nil)
    try onEveryInstructionSet { isa in
      let actual = try level.gradients(filled: false)
      #expect(abs(try level.run(actual, scale: 1, accumulate: false, threads: 2) - loss) <= 2e-6 * loss)
      for (place, pair) in zip(actual.all, expected.all).enumerated() where pair.1.count > 0 {
        #expect(relativeError(pair.0, pair.1) <= 2e-5, "biases \(first), \(second), gradient \(place), isa \(isa)")
      }
    }
  }

  @Test(arguments: [3, 7]) func referenceMatchesFiniteDifferences(index: Int) throws {
    let level = try Discriminator(Self.cases[index], seed: 77)
    let gradients = try level.gradients(filled: false)
    let scale: Float = 3
    _ = try level.run(gradients, scale: scale, accumulate: false, threads: nil)
    let values = level.weights + level.features.map(\.buffer) + [level.embeddings.buffer]
    var checked = 0
    for (place, (buffer, gradient)) in zip(values, gradients.all).enumerated() {
      let largest = gradient.elements.map(abs).max() ?? 0
      for cell in stride(from: 0, to: buffer.count, by: max(1, buffer.count / 12)) {
        let before = buffer.pointer[cell]
        // Padding channels are no parameters.
        if place >= 6 && before == 0 { continue }
        let step: Float = 1e-4
        buffer.pointer[cell] = before + step
        let above = Double(buffer.pointer[cell])
        let more = try level.run(nil, scale: 1, accumulate: false, threads: nil)
        buffer.pointer[cell] = before - step
        let below = Double(buffer.pointer[cell])
        let less = try level.run(nil, scale: 1, accumulate: false, threads: nil)
        buffer.pointer[cell] = before
        let expected = Double(scale) * (more - less) / (above - below)
        #expect(
          abs(Double(gradient.pointer[cell]) - expected) <= 2e-3 * Double(largest), "buffer \(place), cell \(cell)")
        checked += 1
      }
    }
    #expect(checked > 60)
  }
}

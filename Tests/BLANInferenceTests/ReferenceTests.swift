import BLANNetwork
import BLANTensors
import BLANTestSupport
import BLANWeights
import CBLANKernels
import Testing

@testable import BLANInference

/// Predictions against the PyTorch reference, on every instruction set and several numbers of threads.
@Suite struct ReferenceTests {
  private static let tolerance: Float = 1e-4

  @Test func theSeededWeightsAreTheGenerators() throws {
    // The first numbers of Tests/Fixtures/generators/streams.py: a difference here explains every other failure.
    #expect(Array(FixtureWeights.pixels(seed: 100, batch: 1, size: 64).prefix(2)) == Self.firstPixels)
    let network = Network(try Configuration(inputSize: 64, width: 4))
    let weights = try FixtureWeights(network, seed: 100)
    try weights.withTensor("encoder.conv1.weight", shape: [4, 3, 7, 7]) { values in
      #expect(difference(Array(values.prefix(2)), Self.firstWeights) < 1e-7)
    }
  }

  private static let firstPixels: [Float] = [-0.9787862300872803, -0.25547975301742554]
  private static let firstWeights: [Float] = [0.07136064767837524, -0.08008785545825958]

  @Test(arguments: InferenceCase.all) func outputsAgree(with fixture: InferenceCase) throws {
    let loaded = try fixture.load()
    try onEveryInstructionSet { isa in
      for threads in [1, 2, 5] {
        let predictor = try loaded.predictor(threads: threads)
        let results = try Results.of(predictor, loaded.pixels, batch: loaded.batch)
        try expect(results, loaded, "\(isa), \(threads) threads")
      }
    }
  }

  private func expect(_ results: Results, _ loaded: InferenceCase.Loaded, _ where: Comment) throws {
    let file = loaded.file
    #expect(difference(results.probabilities, try file.floats("probabilities")) < Self.tolerance, `where`)
    #expect(difference(results.scores, try file.floats("scores")) < Self.tolerance, `where`)
    #expect(difference(results.logits, try file.floats("logits")) < Self.tolerance, `where`)
    #expect(difference(results.embeddings, try file.floats("embeddings")) < Self.tolerance, `where`)
    #expect(loaded.configuration.variant.hasAttention == file.has("gates.0"))
    guard file.has("gates.0") else { return #expect(results.attention.isEmpty) }
    // The library has one image's three maps after each other; the file has one level's five maps.
    let levels = try (0..<3).map { try file.floats("gates.\($0)") }
    let expected = (0..<loaded.batch).flatMap { image in
      levels.flatMap { $0[image * $0.count / loaded.batch..<(image + 1) * $0.count / loaded.batch] }
    }
    #expect(difference(results.attention, expected) < Self.tolerance, `where`)
  }

  /// F_enc_1..F_enc_4, read out of a plan that keeps them, relative to each map's largest number.
  @Test func encoderFeaturesAgree() throws {
    var compared = 0
    for fixture in InferenceCase.all {
      let loaded = try fixture.load()
      guard loaded.file.has("encoded.0") else { continue }
      try onEveryInstructionSet { isa in
        let predictor = try loaded.predictor(threads: 2) { $0.levels.map(\.encoder) }
        for (level, map) in try encoderFeatures(predictor, loaded.pixels, batch: 2).enumerated() {
          let expected = try loaded.file.floats("encoded.\(level)")
          let largest = expected.reduce(0) { max($0, abs($1)) }
          #expect(difference(map, expected) < 1e-4 * largest, "\(fixture.testDescription), \(isa), level \(level + 1)")
          compared += 1
        }
      }
    }
    #expect(compared >= 8 * 4)
  }

  /// A state dict with torchvision's names in a file, imported over other weights: F_enc_1..F_enc_4 are PyTorch's.
  @Test func anImportedEncoderHasItsFeatures() throws {
    let loaded = try InferenceCase(variant: .encoder, order: .channelSpatial).load()
    let network = Network(loaded.configuration)
    let folder = try TemporaryFolder()
    let encoder = network.parameters.filter { $0.name.hasPrefix("encoder.") }.map { parameter in
      SafetensorsWriter.Tensor(
        String(parameter.name.dropFirst("encoder.".count)), type: .float32, shape: parameter.shape
      ) { sink in
        try loaded.weights.withTensor(parameter.name, shape: parameter.shape) { try sink(UnsafeRawBufferPointer($0)) }
      }
    }
    try SafetensorsWriter.write(encoder, metadata: [:], to: folder.file("resnet34"))
    let imported = try EncoderImport(stateDict: folder.file("resnet34"), over: FixtureWeights(network, seed: 1))
    let predictor = try Predictor(configuration: loaded.configuration, source: imported, threads: 2) {
      $0.levels.map(\.encoder)
    }
    for (level, map) in try encoderFeatures(predictor, loaded.pixels, batch: 2).enumerated() {
      let expected = try loaded.file.floats("encoded.\(level)")
      #expect(difference(map, expected) < 1e-4 * expected.reduce(0) { max($0, abs($1)) }, "level \(level + 1)")
    }
  }
}

/// The four encoder maps of a predictor that keeps them, [batch][channels][height][width] each.
func encoderFeatures(_ predictor: Predictor, _ pixels: [Float], batch: Int) throws -> [[Float]] {
  var maps = [[Float]](repeating: [], count: Network.levelCount)
  try pixels.withUnsafeBufferPointer { pixels in
    let start = try #require(pixels.baseAddress)
    try predictor.run(batch: batch, source: { _, _, _ in start }) { context, _, count in
      for (level, node) in predictor.network.levels.map(\.encoder).enumerated() {
        let shape = predictor.network.graph[node].shape
        let map = predictor.pointer(to: node, in: context, batch: count)
        for image in 0..<count {
          for channel in 0..<shape.channels {
            let block = map + image * shape.blockedCount + channel / 16 * shape.area * 16
            for place in 0..<shape.area { maps[level].append(block[place * 16 + channel % 16]) }
          }
        }
      }
    }
  }
  return maps
}

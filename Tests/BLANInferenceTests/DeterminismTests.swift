import BLANNetwork
import BLANTensors
import BLANTestSupport
import CBLANKernels
import Synchronization
import Testing

@testable import BLANInference

/// What the predictor promises of its results: they depend neither on threads, nor on a batch, nor on other callers.
@Suite struct DeterminismTests {
  private static let cases = [
    InferenceCase(variant: .encoder, order: .channelSpatial), InferenceCase(variant: .concatenation, order: .parallel),
    InferenceCase(variant: .attention, order: .spatialChannel), InferenceCase(variant: .full, order: .channelSpatial),
  ]

  @Test(arguments: cases) func threadsChangeNoBit(fixture: InferenceCase) throws {
    let loaded = try fixture.load()
    try onEveryInstructionSet { isa in
      let one = try Results.of(loaded.predictor(threads: 1), loaded.pixels, batch: loaded.batch)
      for threads in [2, 3, 5] {
        let several = try Results.of(loaded.predictor(threads: threads), loaded.pixels, batch: loaded.batch)
        #expect(several == one, "\(isa), \(threads) threads")
      }
    }
  }

  @Test(arguments: cases) func aBatchChangesNoBit(fixture: InferenceCase) throws {
    let loaded = try fixture.load()
    try onEveryInstructionSet { isa in
      let predictor = try loaded.predictor(threads: 2)
      let together = try Results.of(predictor, loaded.pixels, batch: loaded.batch)
      for image in 0..<loaded.batch {
        let alone = try Results.of(predictor, loaded.pixels, first: image, batch: 1)
        #expect(alone == together.image(image, of: loaded.batch), "\(isa), image \(image)")
      }
      let pair = try Results.of(predictor, loaded.pixels, first: 2, batch: 2)
      #expect(pair.image(1, of: 2) == together.image(3, of: loaded.batch), "\(isa)")
    }
  }

  /// More images than are worked on at once, and not a whole number of chunks.
  @Test func aLongBatchIsCutUpWithoutATrace() throws {
    let loaded = try InferenceCase(variant: .full, order: .channelSpatial).load()
    let predictor = try loaded.predictor(threads: 2)
    let batch = 2 * Predictor.largestChunk + 3
    let imageFloats = loaded.pixels.count / loaded.batch
    var pixels: [Float] = []
    for index in 0..<batch {
      let image = index % loaded.batch
      pixels += loaded.pixels[image * imageFloats..<(image + 1) * imageFloats]
    }
    let all = try Results.of(predictor, pixels, batch: batch)
    let once = try Results.of(predictor, loaded.pixels, batch: loaded.batch)
    for index in 0..<batch {
      #expect(all.image(index, of: batch) == once.image(index % loaded.batch, of: loaded.batch), "image \(index)")
    }
  }

  @Test func eightCallersGetWhatOneGets() async throws {
    let loaded = try InferenceCase(variant: .full, order: .channelSpatial).load()
    let predictor = try loaded.predictor(threads: 2)
    let pixels = loaded.pixels
    let expected = try (1...loaded.batch).map { try Results.of(predictor, pixels, batch: $0) }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for caller in 0..<8 {
        group.addTask {
          for round in 0..<6 {
            let batch = (caller + round) % expected.count + 1
            guard try Results.of(predictor, pixels, batch: batch) == expected[batch - 1] else { return false }
          }
          return true
        }
      }
      for try await same in group { #expect(same) }
    }
  }

  @Test func noImagesAreNoWork() throws {
    let loaded = try InferenceCase(variant: .encoder, order: .channelSpatial).load()
    let predictor = try loaded.predictor(threads: 1)
    var untouched: Float = 7
    let pixels = loaded.pixels
    try pixels.withUnsafeBufferPointer {
      try predictor.predict(
        try #require($0.baseAddress), batch: 0, into: PredictionOutputs(probabilities: &untouched))
    }
    #expect(untouched == 7)
  }
}

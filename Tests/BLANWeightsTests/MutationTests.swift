import BLANNetwork
import BLANTensors
import BLANTestSupport
import Glibc
import Testing

@testable import BLANWeights

/// A thousand damaged copies of a model: each is read in full or refused with words, in bounded memory.
@Suite struct MutationTests {
  private static let count = 1000

  private func model() throws -> [UInt8] {
    let folder = try TemporaryFolder()
    let configuration = try Configuration(inputSize: 64, width: 4, attributes: ["a"], variant: .encoder)
    let description = try ModelDescription(configuration: configuration, isTrained: true)
    let network = Network(configuration)
    try ModelFile.write(
      description, from: FixtureWeights(network, seed: 1), to: folder.file("m"), type: .bfloat16)
    return fileBytes(folder.file("m"))
  }

  /// Reads every tensor that a model file lets through, as loading a model does.
  private func load(_ bytes: UnsafeRawBufferPointer) throws {
    let file = try ModelFile(borrowing: bytes)
    for parameter in Network(file.description.configuration).parameters {
      try file.withTensor(parameter.name, shape: parameter.shape) { values in
        var sum: Float = 0
        for index in stride(from: 0, to: values.count, by: 97) { sum += values[index] }
        if sum == .infinity { return }
      }
    }
  }

  @Test func aThousandDamagedModels() throws {
    let original = try model()
    let header = original.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    var stream = RandomStream(seed: 2020, key: "safetensors")
    var read = 0
    var refused: [BLANError.Kind: Int] = [:]
    let before = peakMemory()
    for round in 0..<Self.count {
      let damaged = Mutation.of(original, head: 8 + header, &stream)
      try damaged.withUnsafeBytes { bytes in
        do {
          try load(bytes)
          read += 1
        } catch let error as BLANError {
          #expect(!error.message.isEmpty, "round \(round)")
          #expect(error.kind != .internal && error.kind != .outOfMemory, "round \(round): \(error)")
          refused[error.kind, default: 0] += 1
        }
      }
    }
    #expect(read + refused.values.reduce(0, +) == Self.count)
    #expect(read > 10, "\(read)")
    #expect((refused[.format] ?? 0) > 300, "\(refused)")
    // A model of 200 kB: what an absurd claim would take is far more than other tests take meanwhile.
    #expect(peakMemory() - before < 1 << 30)
  }

  /// The header alone, damaged more finely: every byte of it in turn takes some other value.
  @Test func everyByteOfTheHeader() throws {
    let original = try model()
    var stream = RandomStream(seed: 2020, key: "header")
    var refused = 0
    for place in 0..<1200 {
      var damaged = original
      damaged[place] = UInt8.random(in: 0...255, using: &stream)
      try damaged.withUnsafeBytes { bytes in
        do {
          try load(bytes)
        } catch let error as BLANError {
          #expect(error.kind != .internal && error.kind != .outOfMemory, "byte \(place): \(error)")
          refused += 1
        }
      }
    }
    #expect(refused > 600, "\(refused)")
  }

  /// Bytes of the largest resident set so far.
  private func peakMemory() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}

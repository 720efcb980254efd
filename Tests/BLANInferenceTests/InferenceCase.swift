import BLANNetwork
import BLANTensors
import BLANTestSupport
import CBLANKernels
import Testing

@testable import BLANInference

/// A fixture of Tests/Fixtures/inference: what PyTorch says of seeded weights and pixels.
struct InferenceCase: CustomTestStringConvertible, Sendable {
  let variant: Variant
  let order: AttentionOrder

  static let all = Variant.allCases.flatMap { variant in
    AttentionOrder.allCases.map { InferenceCase(variant: variant, order: $0) }
  }

  var testDescription: String { "v\(variant.rawValue)-\(order.rawValue)" }

  func load() throws -> Loaded {
    let file = try TensorFixture("inference/\(testDescription).safetensors")
    let configuration = try Configuration(
      inputSize: file.number("input_size"), width: file.number("width"),
      attributes: FixtureWeights.attributes(file.number("attributes")), attention: order, variant: variant)
    let seed = UInt64(file.number("seed"))
    return Loaded(
      file: file, configuration: configuration, weights: try FixtureWeights(Network(configuration), seed: seed),
      batch: file.number("batch"),
      pixels: FixtureWeights.pixels(seed: seed, batch: file.number("batch"), size: configuration.inputSize))
  }

  struct Loaded {
    let file: TensorFixture
    let configuration: Configuration
    let weights: FixtureWeights
    let batch: Int
    let pixels: [Float]

    func predictor(threads: Int, keeping: (Network) -> [NodeID] = { _ in [] }) throws -> Predictor {
      try Predictor(configuration: configuration, source: weights, threads: threads, keeping: keeping)
    }
  }
}

/// Every output of a prediction.
struct Results: Equatable {
  var probabilities: [Float]
  var scores: [Float]
  var logits: [Float]
  var embeddings: [Float]
  var attention: [Float]

  /// Room for the outputs of `batch` images, filled with NaN.
  init(_ predictor: Predictor, batch: Int) {
    let attributes = predictor.network.configuration.attributes.count
    let area = predictor.attentionSizes.reduce(0) { $0 + $1 * $1 }
    func room(_ count: Int) -> [Float] { [Float](repeating: .nan, count: batch * count) }
    probabilities = room(attributes)
    scores = room(2 * attributes * 5)
    logits = room(2 * attributes)
    embeddings = room(4 * predictor.embeddingSize)
    attention = room(area)
  }

  mutating func fill(_ body: (PredictionOutputs) throws -> Void) rethrows {
    try probabilities.withUnsafeMutableBufferPointer { probabilities in
      try scores.withUnsafeMutableBufferPointer { scores in
        try logits.withUnsafeMutableBufferPointer { logits in
          try embeddings.withUnsafeMutableBufferPointer { embeddings in
            try attention.withUnsafeMutableBufferPointer { attention in
              guard let first = probabilities.baseAddress else { return }
              try body(
                PredictionOutputs(
                  probabilities: first, scores: scores.baseAddress, logits: logits.baseAddress,
                  embeddings: embeddings.baseAddress, attention: attention.baseAddress))
            }
          }
        }
      }
    }
  }

  /// What a predictor says of `batch` images, starting with image `first` of the pixels.
  static func of(_ predictor: Predictor, _ pixels: [Float], first: Int = 0, batch: Int) throws -> Results {
    var results = Results(predictor, batch: batch)
    let size = predictor.network.configuration.inputSize
    try pixels[(first * 3 * size * size)..<((first + batch) * 3 * size * size)].withUnsafeBufferPointer { pixels in
      try results.fill { outputs in
        try predictor.predict(try #require(pixels.baseAddress), batch: batch, into: outputs)
      }
    }
    return results
  }

  /// The part of image `index` of `batch`.
  func image(_ index: Int, of batch: Int) -> Results {
    func part(_ all: [Float]) -> [Float] {
      Array(all[index * all.count / batch..<(index + 1) * all.count / batch])
    }
    var result = self
    result.probabilities = part(probabilities)
    result.scores = part(scores)
    result.logits = part(logits)
    result.embeddings = part(embeddings)
    result.attention = part(attention)
    return result
  }
}

/// The largest difference of two lists; infinite where their lengths differ or a number is NaN.
func difference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { largest, pair in
    let distance = abs(pair.0 - pair.1)
    return distance.isNaN ? .infinity : max(largest, distance)
  }
}

/// Every instruction set that this CPU has, and each with what it runs: the choice is this thread's alone.
func onEveryInstructionSet(_ body: (String) throws -> Void) rethrows {
  let before = blan_k_isa_current()
  defer { blan_k_isa_select(before) }
  for isa in [BLAN_K_ISA_PORTABLE, BLAN_K_ISA_AVX2, BLAN_K_ISA_AVX512] where blan_k_isa_select(isa) == isa {
    try body(String(cString: blan_k_isa_name()))
  }
}

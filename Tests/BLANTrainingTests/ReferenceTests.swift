import BLANNetwork
import BLANTensors
import BLANTestSupport
import CBLANKernels
import Testing

@testable import BLANTraining

/// Losses, gradients, running statistics and ten steps against what PyTorch computed in double precision
/// (Tests/Fixtures/generators/training.py).
@Suite struct ReferenceTests {
  static let cases = [
    "v1", "v2", "v3", "v4", "v5-channel-spatial", "v5-spatial-channel", "v5-parallel", "v6-channel-spatial",
    "v6-spatial-channel", "v6-parallel", "v6-wide", "v6-no-lmim", "v6-no-reconstruction", "v6-classification-only",
    "v3-no-lmim", "v4-no-reconstruction",
  ]

  @Test(arguments: cases) func lossesAndGradientsAgree(name: String) throws {
    let reference = try TrainingReference(name)
    for (isa, threads) in [
      (BLAN_K_ISA_AVX512, 1), (BLAN_K_ISA_AVX512, 2), (BLAN_K_ISA_AVX2, 5), (BLAN_K_ISA_PORTABLE, 2),
    ] {
      let before = blan_k_isa_current()
      blan_k_isa_select(isa)
      defer { blan_k_isa_select(before) }
      let trainer = try reference.trainer(threads: threads)
      let losses = try reference.step(trainer).losses
      try compare(losses, reference)
      var compared = 0
      for parameter in trainer.network.parameters {
        if parameter.isTrainable {
          compared += try compareGradient(parameter, trainer, reference) ? 1 : 0
        } else {
          let expected = try reference.fixture.floats("running.\(parameter.name)")
          let actual = try values(of: parameter, in: trainer)
          #expect(relativeError(actual, expected) < 1e-4, "\(name): \(parameter.name)")
        }
      }
      #expect(compared > 60, "\(name): only \(compared) gradients were compared")
    }
  }

  private func compare(_ losses: Losses, _ reference: TrainingReference) throws {
    let fixture = reference.fixture
    for level in 0..<4 {
      #expect(isClose(losses.classification[level], try fixture.floats("loss.cls")[level]), "cls[\(level)]")
      #expect(isClose(losses.mutualInformation[level], try fixture.floats("loss.lmim")[level]), "lmim[\(level)]")
    }
    #expect(isClose(losses.reconstruction, try fixture.floats("loss.rec")[0]), "rec")
    #expect(isClose(losses.fusion, try fixture.floats("loss.sf")[0]), "sf")
    #expect(isClose(losses.total, try fixture.floats("loss.total")[0]), "total")
  }

  /// - Returns: false for a tensor that no loss depends on, whose gradient PyTorch has as zero and the trainer has not.
  private func compareGradient(
    _ parameter: Parameter, _ trainer: Trainer, _ reference: TrainingReference
  ) throws -> Bool {
    let fixture = reference.fixture
    let isWhole = fixture.has("gradient.\(parameter.name)")
    let expected = try fixture.floats("\(isWhole ? "gradient" : "sample").\(parameter.name)")
    let actual = try AlignedBuffer<Float>(count: parameter.count)
    do {
      try trainer.copyGradient(parameter.name, to: actual.pointer, count: parameter.count)
    } catch {
      #expect(expected.allSatisfy { $0 == 0 }, "\(parameter.name) has a gradient in PyTorch")
      return false
    }
    if isWhole {
      #expect(relativeError(Array(actual.elements), expected) < 1e-3, "\(reference.name): \(parameter.name)")
    } else {
      // The scale of the whole gradient: a few small elements among the samples say nothing.
      let norm = try fixture.floats("norm.\(parameter.name)")[0]
      let samples = expected.indices.map { actual.pointer[$0 * parameter.count / expected.count] }
      let scale = max(norm / Float(parameter.count).squareRoot(), expected.map { abs($0) }.max() ?? 0)
      let worst = zip(samples, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(worst < 1e-3 * scale, "\(reference.name): \(parameter.name) off by \(worst) of \(scale)")
      let total = actual.elements.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(abs(total - Double(norm)) < 1e-3 * Double(norm), "\(reference.name): norm of \(parameter.name)")
    }
    return true
  }

  static let casesOfTenSteps = ["v1", "v4", "v6-channel-spatial", "v6-spatial-channel", "v6-classification-only"]

  @Test(arguments: casesOfTenSteps) func tenStepsAgree(name: String) throws {
    let reference = try TrainingReference(name)
    let fixture = reference.fixture
    let totals = try fixture.floats("steps.total")
    let rates = try fixture.floats("steps.learning_rate")
    #expect(totals.count == 10)
    let trainer = try reference.trainer(threads: 2, totalSteps: totals.count)
    for (step, expected) in totals.enumerated() {
      let report = try reference.step(trainer)
      #expect(isClose(report.losses.total, expected), "\(name): total of step \(step)")
      #expect(isClose(report.losses.fusion, try fixture.floats("steps.sf")[step]), "\(name): sf of step \(step)")
      #expect(abs(Float(report.learningRate) - rates[step]) < 1e-6 * rates[0], "\(name): rate of step \(step)")
    }
  }

  private func isClose(_ actual: Double, _ expected: Float) -> Bool {
    abs(actual - Double(expected)) <= 1e-3 * max(abs(Double(expected)), 1e-3)
  }

  private func values(of parameter: Parameter, in trainer: Trainer) throws -> [Float] {
    let values = try AlignedBuffer<Float>(count: parameter.count)
    try trainer.copyParameter(parameter.name, to: values.pointer, count: parameter.count)
    return Array(values.elements)
  }

  /// The largest difference, relative to the largest magnitude expected.
  private func relativeError(_ actual: [Float], _ expected: [Float]) -> Float {
    guard actual.count == expected.count else { return .infinity }
    let scale = max(expected.map { abs($0) }.max() ?? 0, 1e-20)
    return zip(actual, expected).map { $0.isNaN ? .infinity : abs($0 - $1) }.max().map { $0 / scale } ?? .infinity
  }
}

/// A fixture of training with the network, the pixels and the labels it belongs to.
struct TrainingReference {
  let name: String
  let fixture: TensorFixture
  let network: Network
  private let pixels: AlignedBuffer<Float>
  private let labels: [Int8]
  private let batch: Int

  init(_ name: String) throws {
    self.name = name
    fixture = try TensorFixture("training/\(name).safetensors")
    let order = try #require(AttentionOrder(rawValue: fixture.word("order")))
    let variant = try #require(Variant(rawValue: fixture.number("variant")))
    let size = fixture.number("input_size")
    batch = fixture.number("batch")
    network = Network(
      try Configuration(
        inputSize: size, width: fixture.number("width"),
        attributes: FixtureWeights.attributes(fixture.number("attributes")), attention: order, variant: variant),
      purpose: .training)
    let values = FixtureWeights.pixels(seed: UInt64(fixture.number("seed")), batch: batch, size: size)
    pixels = try AlignedBuffer(count: values.count)
    for (index, value) in values.enumerated() { pixels.pointer[index] = value }
    labels = try fixture.floats("labels").map { Int8($0) }
  }

  func trainer(threads: Int, totalSteps: Int = 0) throws -> Trainer {
    var options = TrainingOptions()
    options.alpha = Float(fixture.word("alpha")) ?? .nan
    options.beta = Float(fixture.word("beta")) ?? .nan
    options.dropout = 0
    options.totalSteps = totalSteps
    return try Trainer(
      network,
      source: FixtureWeights(
        network, seed: UInt64(fixture.number("seed")), branchScale: Double(fixture.word("branch_scale")) ?? .nan),
      options: options,
      threads: threads, state: TrainerState())
  }

  func step(_ trainer: Trainer) throws -> Trainer.StepReport {
    try trainer.step(pixels: pixels.pointer, labels: labels, batch: batch)
  }
}

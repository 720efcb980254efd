import BLANNetwork
import BLANTensors
import BLANTestSupport
import CBLANKernels
import Testing

@testable import BLANTraining

/// Grad-CAM against what PyTorch's automatic differentiation computed in double precision
/// (Tests/Fixtures/generators/explanation.py).
@Suite struct GradCAMTests {
  static let cases = [
    "v1", "v2", "v3", "v4", "v5-parallel", "v6-channel-spatial", "v6-spatial-channel", "v6-parallel",
  ]

  @Test(arguments: cases) func mapsAgreeWithPyTorch(name: String) throws {
    let reference = try ExplanationReference(name)
    let before = blan_k_isa_current()
    defer { blan_k_isa_select(before) }
    for (isa, threads) in [
      (BLAN_K_ISA_AVX512, 1), (BLAN_K_ISA_AVX512, 2), (BLAN_K_ISA_AVX2, 3), (BLAN_K_ISA_PORTABLE, 2),
    ] {
      blan_k_isa_select(isa)
      let gradCAM = try reference.gradCAM(threads: threads)
      let (maps, values) = try reference.explain(gradCAM, reference.targets)
      let expected = try reference.fixture.floats("values")
      for (index, target) in reference.targets.enumerated() {
        #expect(abs(values[index] - expected[index]) < 1e-3 * max(abs(expected[index]), 0.01), "\(name): \(target)")
      }
      for level in gradCAM.mapSizes.indices {
        let all = try reference.fixture.floats("maps.\(level)")
        let area = gradCAM.mapSizes[level] * gradCAM.mapSizes[level]
        #expect(all.count == reference.targets.count * area)
        for (index, target) in reference.targets.enumerated() {
          let wanted = Array(all[index * area..<(index + 1) * area])
          let error = relativeError(maps[index][level], wanted)
          #expect(error < 1e-3, "\(name), level \(level + 1), \(target): off by \(error)")
        }
      }
    }
  }

  /// Several targets share one forward pass: each map is what it is when it is asked for alone, in any order.
  @Test func targetsDoNotDisturbEachOther() throws {
    let reference = try ExplanationReference("v6-parallel")
    let gradCAM = try reference.gradCAM(threads: 2)
    let together = try reference.explain(gradCAM, reference.targets.reversed())
    for (index, target) in reference.targets.reversed().enumerated() {
      let alone = try reference.explain(gradCAM, [target])
      #expect(alone.maps[0] == together.maps[index], "\(target)")
      #expect(alone.values[0] == together.values[index], "\(target)")
    }
  }

  @Test func threadsMayShareIt() async throws {
    let reference = try ExplanationReference("v6-channel-spatial")
    let gradCAM = try reference.gradCAM(threads: 1)
    let expected = try reference.explain(gradCAM, reference.targets).maps
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { (try? reference.explain(gradCAM, reference.targets).maps) == expected }
      }
      for await same in group { #expect(same) }
    }
  }

  @Test func progressStops() throws {
    let reference = try ExplanationReference("v1")
    let gradCAM = try reference.gradCAM(threads: 1)
    var seen: [Int] = []
    let error = #expect(throws: BLANError.self) {
      _ = try reference.explain(gradCAM, reference.targets) { done in
        seen.append(done)
        return done < 3
      }
    }
    #expect(error?.kind == .cancelled)
    #expect(error?.message.contains("3 of 12") == true)
    #expect(seen == [1, 2, 3])
  }

  @Test func targetsAreChecked() throws {
    let reference = try ExplanationReference("v1")
    let gradCAM = try reference.gradCAM(threads: 1)
    for (targets, words) in [
      ([], "no targets"), ([ScoreTarget(attribute: 0), ScoreTarget(attribute: 2)], "targets[1].attribute is 2"),
      ([ScoreTarget(attribute: -1)], "targets[0].attribute is -1"),
      ([ScoreTarget(attribute: 0, level: 6)], "targets[0].level is 6"),
      ([ScoreTarget(attribute: 0, level: -1)], "targets[0].level is -1"),
    ] {
      let error = #expect(throws: BLANError.self) { _ = try reference.explain(gradCAM, targets) }
      #expect(error?.kind == .invalidArgument)
      #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    }
  }

  /// The largest difference, relative to the largest magnitude expected.
  private func relativeError(_ actual: [Float], _ expected: [Float]) -> Float {
    guard actual.count == expected.count else { return .infinity }
    let scale = expected.map { abs($0) }.max() ?? 0
    let worst = zip(actual, expected).map { $0.isNaN ? .infinity : abs($0 - $1) }.max() ?? .infinity
    return scale == 0 ? (worst == 0 ? 0 : .infinity) : worst / scale
  }
}

/// A fixture of explanations with the network and the pixels it belongs to.
struct ExplanationReference: Sendable {
  let fixture: TensorFixture
  let configuration: Configuration
  let weights: FixtureWeights
  let pixels: [Float]

  init(_ name: String) throws {
    fixture = try TensorFixture("explanation/\(name).safetensors")
    configuration = try Configuration(
      inputSize: fixture.number("input_size"), width: fixture.number("width"),
      attributes: FixtureWeights.attributes(fixture.number("attributes")),
      attention: #require(AttentionOrder(rawValue: fixture.word("order"))),
      variant: #require(Variant(rawValue: fixture.number("variant"))))
    let seed = UInt64(fixture.number("seed"))
    weights = try FixtureWeights(
      Network(configuration), seed: seed, branchScale: Double(fixture.word("branch_scale")) ?? .nan)
    pixels = FixtureWeights.pixels(seed: seed, batch: 1, size: configuration.inputSize)
  }

  /// For each attribute the decision, the four levels and their sum.
  var targets: [ScoreTarget] {
    configuration.attributes.indices.flatMap { attribute in
      (ScoreTarget.decision...ScoreTarget.sum).map { ScoreTarget(attribute: attribute, level: $0) }
    }
  }

  func gradCAM(threads: Int) throws -> GradCAM { try GradCAM(configuration, source: weights, threads: threads) }

  /// For each target its four maps and its score.
  func explain(
    _ gradCAM: GradCAM, _ targets: [ScoreTarget], progress: (Int) -> Bool = { _ in true }
  ) throws -> (maps: [[[Float]]], values: [Float]) {
    // One more target than asked for: nothing may be written there.
    let maps = try AlignedBuffer<Float>(count: (targets.count + 1) * gradCAM.mapCount)
    let values = try AlignedBuffer<Float>(count: targets.count + 1)
    try pixels.withUnsafeBufferPointer { pixels in
      try gradCAM.explain(
        try #require(pixels.baseAddress), targets: targets, into: maps.pointer, values: values.pointer,
        progress: progress)
    }
    #expect(maps.elements.suffix(gradCAM.mapCount).allSatisfy { $0 == 0 })
    #expect(values.elements.last == 0)
    var place = 0
    let parts = targets.map { _ in
      gradCAM.mapSizes.map { side in
        defer { place += side * side }
        return Array(maps.elements[place..<place + side * side])
      }
    }
    return (parts, Array(values.elements.dropLast()))
  }
}

import BLANInference
import BLANNetwork
import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANTraining

/// Occlusion against predictions made one by one.
@Suite struct OcclusionTests {
  private struct Setting: CustomTestStringConvertible {
    let patch: Int
    let stride: Int
    let fill: Occlusion.Fill
    let places: [Int]
    var testDescription: String { "\(patch) every \(stride), \(fill)" }
  }

  private static let settings = [
    Setting(patch: 20, stride: 13, fill: .modelMean, places: [0, 13, 26, 39, 44]),
    Setting(patch: 32, stride: 32, fill: .imageMean, places: [0, 32]),
    Setting(patch: 64, stride: 64, fill: .color([1, 0, 0.25]), places: [0]),
  ]

  @Test(arguments: settings.indices) func cellsAreDifferencesOfPredictions(index: Int) throws {
    let setting = Self.settings[index]
    let reference = try ExplanationReference("v6-channel-spatial")
    let occlusion = try Occlusion(size: 64, patch: setting.patch, stride: setting.stride, fill: setting.fill)
    #expect(occlusion.places == setting.places)
    let predictor = try Predictor(configuration: reference.configuration, source: reference.weights, threads: 2)
    let (maps, values, steps) = try explain(occlusion, predictor, reference)
    #expect(steps.last == setting.places.count * setting.places.count)

    let whole = try scores(predictor, reference.pixels)
    let color: [Float]
    switch setting.fill {
    case .modelMean: color = [0, 0, 0]
    case .imageMean:
      color = (0..<3).map { channel in
        Float(reference.pixels[channel * 4096..<(channel + 1) * 4096].reduce(0.0) { $0 + Double($1) } / 4096)
      }
    case .color(let given):
      color = (0..<3).map { (given[$0] - Configuration.imageNetMean[$0]) / Configuration.imageNetStd[$0] }
    }
    var cell = 0
    for row in setting.places {
      for column in setting.places {
        var pixels = reference.pixels
        for channel in 0..<3 {
          for y in row..<row + setting.patch {
            for x in column..<column + setting.patch { pixels[(channel * 64 + y) * 64 + x] = color[channel] }
          }
        }
        let covered = try scores(predictor, pixels)
        for (index, target) in reference.targets.enumerated() {
          #expect(maps[index][cell] == whole[index] - covered[index], "cell \(row), \(column), \(target)")
        }
        cell += 1
      }
    }
    #expect(values == whole)
    #expect(maps.allSatisfy { map in map.contains { $0 != 0 } })
  }

  /// The scores are those that Grad-CAM explains.
  @Test func scoresAreThoseOfGradCAM() throws {
    let reference = try ExplanationReference("v4")
    let predictor = try Predictor(configuration: reference.configuration, source: reference.weights, threads: 2)
    let values = try reference.explain(reference.gradCAM(threads: 2), reference.targets).values
    for (value, expected) in zip(values, try scores(predictor, reference.pixels)) {
      #expect(abs(value - expected) < 1e-4)
    }
  }

  @Test func progressStops() throws {
    let reference = try ExplanationReference("v1")
    let occlusion = try Occlusion(size: 64, patch: 16, stride: 16)
    let predictor = try Predictor(configuration: reference.configuration, source: reference.weights, threads: 1)
    let error = #expect(throws: BLANError.self) {
      _ = try explain(occlusion, predictor, reference) { $0 < 8 }
    }
    #expect(error?.kind == .cancelled)
    #expect(error?.message.contains("8 of 16") == true)
  }

  @Test func defaultsCoverEveryPixel() throws {
    for size in [64, 96, 256] {
      let occlusion = try Occlusion(size: size)
      #expect(occlusion.patch == size / 8)
      #expect(occlusion.stride == size / 16)
      #expect(Set(occlusion.places.flatMap { $0..<$0 + occlusion.patch }) == Set(0..<size))
    }
  }

  @Test func optionsAreChecked() throws {
    for (patch, stride, fill, words) in [
      (65, 1, Occlusion.Fill.modelMean, "patch is 65; expected 1 to 64"), (-1, 1, .modelMean, "patch is -1"),
      (8, 9, .modelMean, "stride is 9; expected 1 to 8"), (8, -1, .modelMean, "stride is -1"),
      (8, 4, .color([0, 1.5, 0]), "color is"), (8, 4, .color([0, .nan, 0]), "color is"),
    ] {
      let error = #expect(throws: BLANError.self) {
        _ = try Occlusion(size: 64, patch: patch, stride: stride, fill: fill)
      }
      #expect(error?.kind == .invalidArgument)
      #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    }
  }

  private func explain(
    _ occlusion: Occlusion, _ predictor: Predictor, _ reference: ExplanationReference,
    progress: (Int) -> Bool = { _ in true }
  ) throws -> (maps: [[Float]], values: [Float], steps: [Int]) {
    let count = occlusion.places.count * occlusion.places.count
    let targets = reference.targets
    let maps = try AlignedBuffer<Float>(count: targets.count * count)
    var values = [Float](repeating: 0, count: targets.count)
    var steps: [Int] = []
    try reference.pixels.withUnsafeBufferPointer { pixels in
      try values.withUnsafeMutableBufferPointer { values in
        try occlusion.explain(
          predictor, try #require(pixels.baseAddress), targets: targets, into: maps.pointer,
          values: values.baseAddress
        ) { done in
          steps.append(done)
          return progress(done)
        }
      }
    }
    return (targets.indices.map { Array(maps.elements[$0 * count..<($0 + 1) * count]) }, values, steps)
  }

  /// "Present" less "absent" of every target of the reference, from one prediction.
  private func scores(_ predictor: Predictor, _ pixels: [Float]) throws -> [Float] {
    let attributes = predictor.network.configuration.attributes.count
    let probabilities = try AlignedBuffer<Float>(count: attributes)
    let scores = try AlignedBuffer<Float>(count: 5 * attributes * 2)
    let logits = try AlignedBuffer<Float>(count: attributes * 2)
    try pixels.withUnsafeBufferPointer { pixels in
      try predictor.predict(
        try #require(pixels.baseAddress), batch: 1,
        into: PredictionOutputs(
          probabilities: probabilities.pointer, scores: scores.pointer, logits: logits.pointer))
    }
    return (0..<attributes).flatMap { attribute in
      [logits.pointer[2 * attribute + 1] - logits.pointer[2 * attribute]]
        + (0..<5).map { level in
          let place = (level * attributes + attribute) * 2
          return scores.pointer[place + 1] - scores.pointer[place]
        }
    }
  }
}

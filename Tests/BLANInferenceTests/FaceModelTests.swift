import BLANImages
import BLANNetwork
import BLANTensors
import BLANTestSupport
import BLANWeights
import Glibc
import Testing

@testable import BLANInference

/// A model from its file to answers about images.
@Suite struct FaceModelTests {
  private let folder: TemporaryFolder
  private let configuration: Configuration
  private let model: FaceModel

  init() throws {
    folder = try TemporaryFolder()
    configuration = try Configuration(inputSize: 64, width: 4, attributes: FixtureWeights.attributes(3))
    model = try Self.model(configuration, in: folder, temperatures: nil)
  }

  private static func model(
    _ configuration: Configuration, in folder: TemporaryFolder, temperatures: [Float]?
  ) throws -> FaceModel {
    let path = folder.file("model.safetensors")
    let description = try ModelDescription(
      configuration: configuration, isTrained: true, thresholds: [0.25, 0.5, 0.75], temperatures: temperatures)
    try ModelFile.write(description, from: FixtureWeights(Network(configuration), seed: 9), to: path)
    return try FaceModel(ModelFile(path: path), threads: 2)
  }

  /// Images of several sizes with noise in them.
  private static func images(_ count: Int) throws -> [Image] {
    var stream = RandomStream(seed: 4, key: "images")
    return try (0..<count).map { index in
      let image = try Image(width: 40 + 31 * index, height: 90 - 7 * index)
      for place in 0..<image.pixels.count { image.pixels.pointer[place] = UInt8(truncatingIfNeeded: stream.next()) }
      return image
    }
  }

  /// What the model's own parts say of an image, put together here.
  private func expected(_ image: Image) throws -> Results {
    var pixels = [Float](repeating: 0, count: 3 * 64 * 64)
    try pixels.withUnsafeMutableBufferPointer { pixels in
      let start = try #require(pixels.baseAddress)
      try image.withView { try model.preprocess($0, into: start) }
    }
    return try Results.of(model.predictor, pixels, batch: 1)
  }

  @Test func itKnowsWhatItsFileSays() {
    #expect(model.configuration == configuration)
    #expect(model.description.isTrained)
    #expect(model.description.thresholds == [0.25, 0.5, 0.75])
    #expect(model.configurationText.contains("\"input_size\":64"))
  }

  @Test func imagesAreResizedNormalisedAndPredicted() throws {
    let images = try Self.images(4)
    var results = Results(model.predictor, batch: images.count)
    try results.fill { outputs in
      try withViews(images) { try model.predict($0, into: outputs) }
    }
    for (index, image) in images.enumerated() {
      #expect(try results.image(index, of: images.count) == expected(image), "image \(index)")
    }
  }

  /// Views that last as long as the call.
  private func withViews(_ images: [Image], _ views: [ImageView] = [], _ body: ([ImageView]) throws -> Void) throws {
    guard views.count < images.count else { return try body(views) }
    try images[views.count].withView { try withViews(images, views + [$0], body) }
  }

  @Test func anImageThatCannotBeReadLeavesTheOthersAlone() throws {
    let images = try Self.images(11)
    var results = Results(model.predictor, batch: images.count)
    var failures: [FaceModel.ItemFailure] = []
    try results.fill { outputs in
      failures = try model.predictEncoded(count: images.count, into: outputs) { index in
        if index == 2 || index == 9 { throw BLANError.format("image \(index) is damaged") }
        return images[index]
      }
    }
    #expect(failures.map(\.index) == [2, 9])
    #expect(failures.map(\.error) == [.format("image 2 is damaged"), .format("image 9 is damaged")])
    for (index, image) in images.enumerated() {
      let result = results.image(index, of: images.count)
      if index == 2 || index == 9 {
        for numbers in [result.probabilities, result.scores, result.logits, result.embeddings, result.attention] {
          #expect(numbers.allSatisfy { $0.isNaN }, "image \(index)")
        }
      } else {
        #expect(try result == expected(image), "image \(index)")
      }
    }
  }

  @Test func theFilesTemperaturesChangeProbabilitiesAlone() throws {
    let image = try Self.images(1)[0]
    let plain = try expected(image)
    let warm = try Self.model(configuration, in: folder, temperatures: [1, 4, 0.5])
    var results = Results(warm.predictor, batch: 1)
    try results.fill { outputs in try image.withView { try warm.predict([$0], into: outputs) } }
    #expect(results.logits == plain.logits)
    #expect(results.scores == plain.scores)
    for (attribute, temperature) in [Float(1), 4, 0.5].enumerated() {
      let distance = plain.logits[2 * attribute + 1] - plain.logits[2 * attribute]
      #expect(abs(results.probabilities[attribute] - 1 / (1 + exp(-distance / temperature))) < 1e-6)
    }
  }

  @Test func halfPrecisionFilesPredictNearlyTheSame() throws {
    let image = try Self.images(1)[0]
    let plain = try expected(image)
    for (type, tolerance) in [(ElementType.float16, Float(0.01)), (.bfloat16, 0.08)] {
      let path = folder.file("\(type.rawValue).safetensors")
      try ModelFile.write(
        model.description, from: FixtureWeights(Network(configuration), seed: 9), to: path, type: type)
      let half = try FaceModel(ModelFile(path: path), threads: 1)
      var results = Results(half.predictor, batch: 1)
      try results.fill { outputs in try image.withView { try half.predict([$0], into: outputs) } }
      let distance = difference(results.probabilities, plain.probabilities)
      #expect(distance > 0 && distance < tolerance, "\(type)")
    }
  }
}

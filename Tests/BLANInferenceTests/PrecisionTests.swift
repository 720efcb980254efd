import BLANNetwork
import BLANTensors
import BLANTestSupport
import BLANWeights
import Testing

@testable import BLANInference

/// Models in reduced precision, from calibration to predictions.
@Suite struct PrecisionTests {
  private let folder: TemporaryFolder
  private let configuration: Configuration
  private let pixels: [Float]
  private static let batch = 3

  init() throws {
    folder = try TemporaryFolder()
    configuration = try Configuration(inputSize: 96, width: 8, attributes: FixtureWeights.attributes(3))
    pixels = FixtureWeights.pixels(seed: 5, batch: Self.batch, size: 96)
    try ModelFile.write(
      ModelDescription(configuration: configuration, isTrained: true, thresholds: [0.25, 0.5, 0.75]),
      from: FixtureWeights(Network(configuration, purpose: .training), seed: 6), to: folder.file("f32"),
      trainingHeads: true)
  }

  private func quantized(_ precision: Precision) throws -> ModelFile {
    let path = folder.file(precision.rawValue)
    try pixels.withUnsafeBufferPointer {
      try Quantizer.quantize(
        ModelFile(path: folder.file("f32")), precision, calibration: $0.baseAddress, batch: Self.batch, threads: 2,
        to: path)
    }
    return try ModelFile(path: path)
  }

  private func results(_ file: ModelFile, threads: Int = 2, precision: Precision? = nil) throws -> Results {
    try Results.of(FaceModel(file, threads: threads, precision: precision).predictor, pixels, batch: Self.batch)
  }

  /// Root of the mean square of the differences over that of the values.
  private func deviation(_ a: [Float], _ b: [Float]) -> Float {
    let squares = zip(a, b).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (squares / b.reduce(Float(0)) { $0 + $1 * $1 }).squareRoot()
  }

  @Test(arguments: [(Precision.bfloat16, Float(0.03)), (.int8, 0.1)])
  func predictionsStayNearThoseOfF32(precision: Precision, bound: Float) throws {
    let expected = try results(ModelFile(path: folder.file("f32")))
    let file = try quantized(precision)
    #expect(file.description.precision == precision)
    #expect(!file.hasTrainingHeads)
    #expect(file.hasRanges == (precision == .int8))
    #expect(file.description.thresholds == [0.25, 0.5, 0.75])
    try onEveryInstructionSet { isa in
      let model = try FaceModel(file, threads: 2)
      #expect(model.predictor.precision == precision)
      let actual = try results(file)
      #expect(deviation(actual.embeddings, expected.embeddings) < bound, "\(isa)")
      #expect(difference(actual.probabilities, expected.probabilities) < bound, "\(isa)")
      // Rounded it is: f32 comes much nearer.
      #expect(deviation(actual.embeddings, expected.embeddings) > 1e-4, "\(isa)")
    }
  }

  @Test(arguments: [Precision.bfloat16, .int8]) func neitherThreadsNorCompanyChangeABit(precision: Precision) throws {
    let file = try quantized(precision)
    try onEveryInstructionSet { isa in
      let one = try results(file, threads: 1)
      for threads in [2, 5] { #expect(try results(file, threads: threads) == one, "\(isa), \(threads) threads") }
      let model = try FaceModel(file, threads: 2)
      for index in 0..<Self.batch {
        let alone = try Results.of(model.predictor, pixels, first: index, batch: 1)
        #expect(alone == one.image(index, of: Self.batch), "\(isa), image \(index)")
      }
    }
  }

  @Test func everyFileCanBeComputedWithInF32AndBF16() throws {
    let expected = try results(ModelFile(path: folder.file("f32")))
    for (precision, bound) in [(Precision.bfloat16, Float(0.02)), (.int8, 0.06)] {
      let file = try quantized(precision)
      #expect(deviation(try results(file, precision: .float32).embeddings, expected.embeddings) < bound)
      #expect(deviation(try results(file, precision: .bfloat16).embeddings, expected.embeddings) < 2 * bound)
    }
    #expect(
      deviation(try results(quantized(.int8), precision: .int8).embeddings, expected.embeddings) < 0.1)
  }

  @Test func int8NeedsRanges() throws {
    let error = #expect(throws: BLANError.self) {
      _ = try FaceModel(ModelFile(path: folder.file("f32")), threads: 1, precision: .int8)
    }
    #expect(error?.kind == .unsupported)
    #expect(error?.message.contains("blan quantize") == true)
    let noImages = #expect(throws: BLANError.self) {
      try Quantizer.quantize(
        ModelFile(path: folder.file("f32")), .int8, calibration: nil, batch: 0, threads: 1, to: folder.file("none"))
    }
    #expect(noImages?.kind == .invalidArgument)
  }

  @Test func imagesThatAreNoNumbersCalibrateNothing() throws {
    var pixels = pixels
    pixels[100] = .nan
    let error = #expect(throws: BLANError.self) {
      try pixels.withUnsafeBufferPointer {
        try Quantizer.quantize(
          ModelFile(path: folder.file("f32")), .int8, calibration: $0.baseAddress, batch: Self.batch, threads: 1,
          to: folder.file("none"))
      }
    }
    #expect(error?.kind == .invalidArgument)
    #expect(error?.message.contains("not finite") == true)
  }

  /// A copy with other thresholds keeps 8-bit weights, scales, ranges and precision.
  @Test func copiesStayQuantised() throws {
    let file = try quantized(.int8)
    var description = file.description
    description.thresholds = [0.1, 0.2, 0.3]
    try file.copy(to: folder.file("copy"), describedBy: description)
    let copy = try ModelFile(path: folder.file("copy"))
    #expect(copy.description.precision == .int8 && copy.hasRanges)
    #expect(copy.description.thresholds == [0.1, 0.2, 0.3])
    #expect(try results(copy).probabilities == results(file).probabilities)
  }

  @Test func quantisingAgainChangesNoWeight() throws {
    let file = try quantized(.int8)
    try pixels.withUnsafeBufferPointer {
      try Quantizer.quantize(
        file, .int8, calibration: $0.baseAddress, batch: Self.batch, threads: 2, to: folder.file("again"))
    }
    let again = try SafetensorsFile(path: folder.file("again"))
    let once = try SafetensorsFile(path: folder.file("int8"))
    for (name, tensor) in once.tensors where tensor.type == .int8 {
      let before = try once.withBytes(name, type: .int8) { Array($0) }
      #expect(try again.withBytes(name, type: .int8) { Array($0) } == before, "\(name)")
    }
  }
}

import BLANData
import BLANInference
import BLANNetwork
import BLANTensors
import BLANWeights
import Glibc
import Testing

@testable import BLANTraining

@Suite struct CalibratorTests {
  private func data(_ labels: (Int) -> [Int8]) throws -> Dataset {
    let paths = SmallModel.photos(8)
    return try Dataset(
      source: "photos", attributes: SmallModel.attributes, paths: paths, labels: paths.indices.flatMap(labels))
  }

  private func options(_ change: (inout Calibrator.Options) -> Void = { _ in }) -> Calibrator.Options {
    var options = Calibrator.Options()
    options.minimumLabels = 1
    change(&options)
    return options
  }

  @Test func thresholdsPartTheTwoPhotos() throws {
    // Random weights give scores in the hundreds.
    let small = try SmallModel(temperatures: [200, 200, 200])
    let rows = try small.probabilities(SmallModel.photos(2))
    // The likelier photo of each attribute is labelled present, the other absent.
    let data = try data { photo in (0..<3).map { (rows[$0] > rows[3 + $0]) == (photo % 2 == 0) ? 1 : -1 } }
    let fit = try Calibrator.fit(small.model, on: data, options { $0.fitsTemperatures = false })
    #expect(fit.temperatures == [200, 200, 200])
    for attribute in 0..<3 {
      let pair = [rows[attribute], rows[3 + attribute]].sorted()
      #expect(fit.thresholds[attribute] > pair[0] && fit.thresholds[attribute] <= pair[1])
    }
  }

  @Test func withoutBothLabelsNothingChanges() throws {
    let small = try SmallModel(thresholds: [0.1, 0.2, 0.3], temperatures: [2, 3, 4])
    let data = try data { [1, -1, $0 < 2 ? 1 : 0] }
    let fit = try Calibrator.fit(small.model, on: data, options())
    #expect(fit.thresholds == [0.5, 0.5, 0.5] && fit.temperatures == [1, 1, 1])
    let kept = try Calibrator.fit(
      small.model, on: data,
      options {
        $0.fitsTemperatures = false
        $0.fitsThresholds = false
      })
    #expect(kept.thresholds == [0.1, 0.2, 0.3] && kept.temperatures == [2, 3, 4])
  }

  @Test func fewLabelsAreNotFittedTo() throws {
    let small = try SmallModel()
    let data = try data { photo in [Int8](repeating: photo == 1 ? 1 : -1, count: 3) }
    let few = try Calibrator.fit(small.model, on: data, options { $0.minimumLabels = 2 })
    #expect(few.temperatures == [1, 1, 1])
    #expect(try Calibrator.fit(small.model, on: data, options()).temperatures != [1, 1, 1])
    #expect(throws: BLANError.self) { try Calibrator.fit(small.model, on: data, options { $0.minimumLabels = 0 }) }
  }

  @Test func temperaturesDoNotDependOnTheModelsOwn() throws {
    let data = try data { photo in [photo < 4 ? 1 : -1, photo < 3 ? 1 : -1, photo % 3 == 0 ? 1 : -1] }
    let plain = try Calibrator.fit(SmallModel().model, on: data, options())
    let scaled = try Calibrator.fit(SmallModel(temperatures: [7, 0.2, 3]).model, on: data, options())
    #expect(plain.temperatures == scaled.temperatures && plain.thresholds == scaled.thresholds)
  }

  @Test(arguments: [ElementType.float32, .bfloat16]) func theCopyHoldsTheFitAndTheSameTensors(type: ElementType) throws
  {
    let small = try SmallModel(type: type)
    let out = small.path + ".calibrated"
    defer { unlink(out) }
    let fit = Calibrator.Fit(temperatures: [0.5, 2, 1], thresholds: [0.25, 0.5, 0.75])
    try Calibrator.write(fit, of: ModelFile(path: small.path), to: out)
    let before = try SafetensorsFile(path: small.path)
    let after = try SafetensorsFile(path: out)
    #expect(before.tensors.count == after.tensors.count)
    for (name, tensor) in before.tensors {
      #expect(after.tensors[name]?.type == tensor.type && after.tensors[name]?.shape == tensor.shape)
      let bytes = try before.withBytes(name, type: tensor.type) { Array($0) }
      #expect(try after.withBytes(name, type: tensor.type) { Array($0) } == bytes)
    }
    let description = try ModelFile(path: out).description
    #expect(description.temperatures == fit.temperatures && description.thresholds == fit.thresholds)
    #expect(description.isTrained && description.configuration.attributes == SmallModel.attributes)
  }

  @Test func theModelsFileMayReplaceItself() throws {
    let small = try SmallModel()
    let fit = Calibrator.Fit(temperatures: [0.5, 2, 1], thresholds: [0.25, 0.5, 0.75])
    try Calibrator.write(fit, of: ModelFile(path: small.path), to: small.path)
    #expect(try ModelFile(path: small.path).description.thresholds == fit.thresholds)
  }

  @Test func aCopyIsOfTheSameNetwork() throws {
    let small = try SmallModel()
    let file = try ModelFile(path: small.path)
    let other = try ModelDescription(
      configuration: Configuration(inputSize: 64, width: 8, attributes: SmallModel.attributes), isTrained: true)
    let error = #expect(throws: BLANError.self) { try file.copy(to: "/tmp/never", describedBy: other) }
    #expect(error?.kind == .invalidArgument)
  }

  /// What stands beside the description is another program's, and read by nobody before.
  @Test func aNumberThatCannotBeWrittenAgainIsNamed() throws {
    let small = try SmallModel()
    let plain = try SafetensorsFile(path: small.path)
    var metadata = plain.metadata
    let config = try #require(metadata[ModelDescription.configurationKey])
    metadata[ModelDescription.configurationKey] = "{\"theirs\": 1e999, " + config.dropFirst()
    let tensors = plain.tensors.map { name, tensor in
      SafetensorsWriter.Tensor(name, type: tensor.type, shape: tensor.shape) {
        try plain.withBytes(name, type: tensor.type, $0)
      }
    }
    let path = small.path + ".theirs"
    defer { unlink(path) }
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    let file = try ModelFile(path: path)
    let error = #expect(throws: BLANError.self) { try file.copy(to: "/tmp/never", describedBy: file.description) }
    #expect(error?.kind == .format && error?.message.contains("1e999") == true)
  }
}

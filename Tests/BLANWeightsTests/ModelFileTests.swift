import BLANNetwork
import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANWeights

@Suite struct ModelFileTests {
  private let folder: TemporaryFolder
  private let configuration: Configuration
  private let weights: FixtureWeights

  init() throws {
    folder = try TemporaryFolder()
    configuration = try Configuration(inputSize: 64, width: 4, attributes: FixtureWeights.attributes(2))
    weights = try FixtureWeights(Network(configuration, purpose: .training), seed: 3)
  }

  private func description() throws -> ModelDescription {
    try ModelDescription(
      configuration: configuration, isTrained: false, thresholds: [0.25, 0.75], temperatures: [1.5, 0.5])
  }

  @Test(arguments: [false, true]) func aModelComesBackAsItWas(trainingHeads: Bool) throws {
    let path = folder.file("m")
    try ModelFile.write(description(), from: weights, to: path, trainingHeads: trainingHeads)
    let file = try ModelFile(path: path)
    #expect(file.hasTrainingHeads == trainingHeads)
    #expect(file.description.configuration == configuration)
    #expect(!file.description.isTrained)
    #expect(file.description.thresholds == [0.25, 0.75])
    #expect(file.description.temperatures == [1.5, 0.5])
    for parameter in Network(configuration, purpose: trainingHeads ? .training : .inference).parameters {
      let stored = try file.withTensor(parameter.name, shape: parameter.shape) { Array($0) }
      let given = try weights.withTensor(parameter.name, shape: parameter.shape) { Array($0) }
      #expect(stored == given, "\(parameter.name)")
    }
  }

  @Test(arguments: [ElementType.float16, .bfloat16]) func onlyWeightsAreStoredShort(type: ElementType) throws {
    let path = folder.file("m")
    try ModelFile.write(description(), from: weights, to: path, type: type)
    let file = try SafetensorsFile(path: path)
    #expect(file.tensors["encoder.conv1.weight"]?.type == type)
    for name in ["encoder.bn1.running_var", "encoder.bn1.weight", "fusion.weight", "classifiers.0.fc2.bias"] {
      #expect(file.tensors[name]?.type == .float32, "\(name)")
    }
    let convert = type == .float16 ? HalfPrecision.float16 : HalfPrecision.bfloat16
    let back = type == .float16 ? HalfPrecision.float(fromFloat16:) : HalfPrecision.float(fromBFloat16:)
    let given = try weights.withTensor("encoder.conv1.weight", shape: [4, 3, 7, 7]) { $0.map { back(convert($0)) } }
    #expect(try file.withTensor("encoder.conv1.weight", shape: [4, 3, 7, 7]) { Array($0) } == given)
  }

  /// Writes the model's tensors after `change` and reads the file as a model.
  private func reading(
    metadata: [String: String]? = nil, _ change: (inout [SafetensorsWriter.Tensor]) throws -> Void = { _ in }
  ) throws -> BLANError? {
    let source = weights
    var tensors = Network(configuration).parameters.map {
      SafetensorsWriter.Tensor($0.name, from: source, shape: $0.shape)
    }
    try change(&tensors)
    try SafetensorsWriter.write(tensors, metadata: metadata ?? description().metadata(), to: folder.file("m"))
    do {
      _ = try ModelFile(path: folder.file("m"))
      return nil
    } catch { return error as? BLANError }
  }

  private func filled(_ name: String, _ shape: [Int], _ type: ElementType = .float32) -> SafetensorsWriter.Tensor {
    SafetensorsWriter.Tensor(name, type: type, shape: shape) { sink in
      try [UInt8](repeating: 0, count: shape.reduce(type.size, *)).withUnsafeBytes(sink)
    }
  }

  @Test func tensorsThatAreMissingUnknownOrMisshapenAreNamed() throws {
    #expect(try reading() == nil)
    let missing = try reading { $0.removeAll { $0.name.hasPrefix("attention.1.conv") } }
    #expect(missing?.kind == .format)
    #expect(missing?.message.contains("lacks \"attention.1.conv.weight\", \"attention.1.conv.bias\"") == true)
    let unknown = try reading { $0.append(filled("fc.weight", [2])) }
    #expect(unknown?.kind == .format)
    #expect(unknown?.message.contains("\"fc.weight\"") == true)
    let misshapen = try reading {
      $0.removeAll { $0.name == "fusion.weight" }
      $0.append(filled("fusion.weight", [2, 5]))
    }
    #expect(misshapen?.kind == .shape)
    #expect(misshapen?.message.contains("\"fusion.weight\" has shape [2, 5]; expected [5, 2]") == true)
    let integers = try reading {
      $0.removeAll { $0.name == "fusion.weight" }
      $0.append(filled("fusion.weight", [5, 2], .int64))
    }
    #expect(integers?.kind == .format)
    #expect(integers?.message.contains("I64") == true)
  }

  @Test func someButNotAllTrainingHeadsAreRefused() throws {
    let error = try reading { $0.append(filled("reconstruction.conv.bias", [3])) }
    #expect(error?.kind == .format)
    #expect(error?.message.contains("\"reconstruction.conv.weight\"") == true)
  }

  @Test func torchsCountersAreIgnored() throws {
    #expect(try reading { $0.append(filled("encoder.bn1.num_batches_tracked", [], .int64)) } == nil)
  }

  private static let good =
    #""input_size":64,"width":4,"attributes":["a","b"],"attention":"parallel","variant":6,"mean":[0,0,0],"std":[1,1,1]"#

  /// What a configuration's text is refused with.
  private func refusal(_ configuration: String?, format: String? = "blan") -> BLANError? {
    var metadata: [String: String] = [:]
    metadata["format"] = format
    metadata["blan.config"] = configuration
    do {
      _ = try ModelDescription(metadata: metadata, file: "it")
      return nil
    } catch { return error as? BLANError }
  }

  @Test func configurationsThatMakeSenseAreRead() {
    #expect(refusal("{\(Self.good)}") == nil)
    #expect(refusal("{\(Self.good),\"later\":{\"versions\":[\"say\",\"more\"]}}") == nil)
    #expect(refusal("{\(Self.good),\"trained\":true,\"thresholds\":[0,1],\"temperatures\":[2,3]}") == nil)
  }

  @Test(
    arguments: [
      ("\"input_size\":64", "\"input_size\":65", "input_size"),
      ("\"input_size\":64", "\"input_size\":1e300", "JSON"),
      ("\"input_size\":64", "\"input_size\":-64", "input_size"),
      ("\"input_size\":64,", "", "input_size"),
      ("\"width\":4", "\"width\":6", "width"), ("\"width\":4", "\"width\":null", "width"),
      ("\"width\":4", "\"width\":4096", "width"),
      ("[\"a\",\"b\"]", "[]", "attributes"), ("[\"a\",\"b\"]", "[\"a\",\"a\"]", "\"a\""),
      ("[\"a\",\"b\"]", "[\"a\",7]", "attributes"), ("[\"a\",\"b\"]", "[\"a\",\"\"]", "attribute 1"),
      ("\"parallel\"", "\"sideways\"", "sideways"), ("\"variant\":6", "\"variant\":7", "variant"),
      ("\"mean\":[0,0,0]", "\"mean\":[0,0]", "mean"), ("\"mean\":[0,0,0]", "\"mean\":[0,0,NaN]", "JSON"),
      ("\"mean\":[0,0,0]", "\"mean\":[0,0,1e39]", "JSON"), ("\"std\":[1,1,1]", "\"std\":[1,0,1]", "std"),
    ])
  func configurationsThatMakeNoneAreNamed(part: String, wrong: String, word: String) throws {
    let start = try #require(Self.good.range(of: part))
    let text = "{\(Self.good[..<start.lowerBound])\(wrong)\(Self.good[start.upperBound...])}"
    let error = refusal(text)
    #expect(error?.kind == .format || error?.kind == .unsupported, "\(text)")
    #expect(error?.message.contains("it: ") == true, "\(String(describing: error))")
    #expect(error?.message.contains(word) == true, "\(String(describing: error))")
  }

  @Test func thresholdsAndTemperaturesAreChecked() {
    for wrong in ["\"thresholds\":[0.5]", "\"thresholds\":[0.5,1.5]", "\"temperatures\":[0,1]", "\"temperatures\":[1]"]
    {
      #expect(refusal("{\(Self.good),\(wrong)}")?.kind == .format, "\(wrong)")
    }
  }

  @Test func filesOfOtherProgramsAreRecognised() {
    #expect(refusal("{\(Self.good)}", format: "pt")?.message.contains("not a BLAN model") == true)
    #expect(refusal("{\(Self.good)}", format: nil)?.message.contains("not a BLAN model") == true)
    #expect(refusal(nil)?.message.contains("no `blan.config`") == true)
    #expect(refusal("not JSON")?.kind == .format)
    #expect(refusal("[]")?.kind == .format)
  }

  @Test func theConfigurationsTextIsStable() throws {
    let text = try description().json()
    #expect(try text == description().json())
    let again = try ModelDescription(metadata: ["format": "blan", "blan.config": text], file: "it")
    #expect(try again.json() == text)
  }
}

extension String {
  /// The first place of `part`.
  fileprivate func range(of part: String) -> Range<Index>? {
    for start in indices where self[start...].hasPrefix(part) {
      return start..<index(start, offsetBy: part.count)
    }
    return nil
  }
}

import BLANNetwork
import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANWeights

/// The encoder from a torchvision or timm ResNet-34 state dict.
@Suite struct EncoderImportTests {
  private let folder: TemporaryFolder
  private let network: Network

  init() throws {
    folder = try TemporaryFolder()
    network = Network(try Configuration(inputSize: 64, width: 4, attributes: ["a"]))
  }

  /// A state dict as torchvision's, or with another prefix: the encoder's tensors, counters and a classifier.
  private func stateDict(prefix: String, leaving missing: String? = nil, seed: UInt64 = 11) throws -> String {
    let weights = try FixtureWeights(network, seed: seed)
    var tensors: [SafetensorsWriter.Tensor] = []
    for parameter in network.parameters where parameter.name.hasPrefix("encoder.") {
      let name = String(parameter.name.dropFirst("encoder.".count))
      guard name != missing else { continue }
      tensors.append(
        SafetensorsWriter.Tensor(prefix + name, type: .float32, shape: parameter.shape) { sink in
          try weights.withTensor(parameter.name, shape: parameter.shape) { try sink(UnsafeRawBufferPointer($0)) }
        })
      guard name.hasSuffix("running_var") else { continue }
      let counter = name.replacingSuffix("running_var", "num_batches_tracked")
      tensors.append(
        SafetensorsWriter.Tensor(prefix + counter, type: .int64, shape: []) { sink in
          try withUnsafeBytes(of: Int64(7)) { try sink($0) }
        })
    }
    for (name, shape) in [("fc.weight", [1000, 32]), ("fc.bias", [1000])] {
      tensors.append(
        SafetensorsWriter.Tensor(prefix + name, type: .float32, shape: shape) { sink in
          try [Float](repeating: 1, count: shape.reduce(1, *)).withUnsafeBytes(sink)
        })
    }
    let path = folder.file("state.safetensors")
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: path)
    return path
  }

  @Test(arguments: ["", "encoder."]) func theEncoderIsItsAndTheRestIsNot(prefix: String) throws {
    let base = try FixtureWeights(network, seed: 12)
    let imported = try EncoderImport(stateDict: stateDict(prefix: prefix), over: base)
    let given = try FixtureWeights(network, seed: 11)
    for parameter in network.parameters {
      let values = try imported.withTensor(parameter.name, shape: parameter.shape) { Array($0) }
      let expected = parameter.name.hasPrefix("encoder.") ? given : base
      #expect(try values == expected.withTensor(parameter.name, shape: parameter.shape) { Array($0) })
    }
  }

  @Test func anImportedModelIsAModelLikeAnyOther() throws {
    let imported = try EncoderImport(stateDict: stateDict(prefix: ""), over: FixtureWeights(network, seed: 12))
    let description = try ModelDescription(configuration: network.configuration, isTrained: false)
    try ModelFile.write(description, from: imported, to: folder.file("m"))
    #expect(try ModelFile(path: folder.file("m")).description.configuration == network.configuration)
  }

  @Test func tensorsThatAreMissingAreNamed() throws {
    let imported = try EncoderImport(
      stateDict: stateDict(prefix: "", leaving: "layer3.5.bn2.running_mean"), over: FixtureWeights(network, seed: 12))
    do {
      try imported.withTensor("encoder.layer3.5.bn2.running_mean", shape: [16]) { _ in }
      Issue.record("it was found")
    } catch let error as BLANError {
      #expect(error.kind == .format)
      #expect(error.message.contains("layer3.5.bn2.running_mean"))
    }
  }

  @Test func anotherWidthIsRefused() throws {
    let imported = try EncoderImport(stateDict: stateDict(prefix: ""), over: FixtureWeights(network, seed: 12))
    do {
      try imported.withTensor("encoder.conv1.weight", shape: [8, 3, 7, 7]) { _ in }
      Issue.record("it was taken")
    } catch let error as BLANError {
      #expect(error.kind == .shape)
      #expect(error.message.contains("[4, 3, 7, 7]; expected [8, 3, 7, 7]"))
    }
  }

  @Test func filesWithoutAnEncoderAreRecognised() throws {
    let tensor = SafetensorsWriter.Tensor("head.weight", type: .float32, shape: [1]) { sink in
      try withUnsafeBytes(of: Float(1)) { try sink($0) }
    }
    try SafetensorsWriter.write([tensor], metadata: [:], to: folder.file("other"))
    let base = try FixtureWeights(network, seed: 12)
    #expect(throws: BLANError.self) { try EncoderImport(stateDict: folder.file("other"), over: base) }
    #expect(throws: BLANError.self) { try EncoderImport(stateDict: folder.file("none"), over: base) }
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, _ replacement: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + replacement : self
  }
}

import BLANTensors
import Testing

@testable import BLANNetwork

@Suite struct NetworkTests {
  @Test func sizesOfThePaperNetworkMatchTheSpecification() throws {
    let configuration = try Configuration()
    let inference = CostTable(Network(configuration))
    #expect(inference.parameters == 42_511_114)
    #expect(inference.multiplyAccumulates / 1_000_000 == 6_891)
    let training = CostTable(Network(configuration, purpose: .training))
    #expect(training.parameters == 45_115_345)
    #expect(training.multiplyAccumulates / 1_000_000 == 13_721)
  }

  @Test(arguments: Variant.allCases) func everyInputPrecedesItsUseAndEveryNameIsUnique(variant: Variant) throws {
    for order in AttentionOrder.allCases {
      let configuration = try Configuration(inputSize: 96, width: 4, attention: order, variant: variant)
      let network = Network(configuration, purpose: .training)
      for node in network.graph.nodes {
        #expect(node.inputs.allSatisfy { $0.index < node.id.index })
      }
      #expect(Set(network.parameters.map(\.name)).count == network.parameters.count)
      #expect(network.parameters.allSatisfy { $0.count > 0 })
    }
  }

  @Test func aVariantHoldsOnlyWhatItUses() throws {
    func prefixes(_ variant: Variant) throws -> Set<String> {
      let network = Network(try Configuration(inputSize: 64, width: 8, variant: variant), purpose: .training)
      return Set(network.parameters.map { String($0.name.prefix { $0 != "." }) })
    }
    #expect(try prefixes(.encoder) == ["encoder", "classifiers"])
    #expect(try prefixes(.encoderLMIM) == ["encoder", "classifiers", "lmim"])
    let withDecoder: Set = ["encoder", "decoder", "classifiers", "lmim", "reconstruction"]
    #expect(try prefixes(.decoderLMIM) == withDecoder)
    #expect(try prefixes(.concatenation) == withDecoder)
    #expect(try prefixes(.attention) == withDecoder.union(["attention"]))
    #expect(try prefixes(.full) == withDecoder.union(["attention", "fusion"]))
  }

  @Test func featureMapsHaveTheLaddersShapes() throws {
    let network = Network(try Configuration())
    let shapes = network.levels.map { network.graph[$0.features[0]].shape }
    #expect(
      shapes == [
        TensorShape(64, 64, 64), TensorShape(128, 32, 32), TensorShape(256, 16, 16), TensorShape(512, 8, 8),
      ])
    #expect(network.levels.map { network.graph[$0.classification.embedding].shape.channels } == [512, 512, 512, 512])
  }

  @Test func impossibleConfigurationsAreNamed() {
    #expect(throws: BLANError.self) { try Configuration(inputSize: 63) }
    #expect(throws: BLANError.self) { try Configuration(inputSize: 100) }
    #expect(throws: BLANError.self) { try Configuration(width: 6) }
    #expect(throws: BLANError.self) { try Configuration(attributes: []) }
    #expect(throws: BLANError.self) { try Configuration(attributes: ["Smiling", "Smiling"]) }
    #expect(throws: BLANError.self) { try Configuration(mean: [0, 0, .nan]) }
    #expect(throws: BLANError.self) { try Configuration(std: [1, 1, 0]) }
  }
}

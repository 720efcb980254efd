import BLANImages
import BLANInference
import BLANNetwork
import BLANTensors
import BLANWeights
import Glibc
import Testing

/// A model of width 4 with random weights in a file of its own, and photos to show it.
final class SmallModel {
  static let attributes = ["A", "B", "C"]

  let path: String
  let model: FaceModel

  init(type: ElementType = .float32, thresholds: [Float]? = nil, temperatures: [Float]? = nil) throws {
    var template = Array("/tmp/blan-model-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    close(descriptor)
    path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    let description = try ModelDescription(
      configuration: Configuration(inputSize: 64, width: 4, attributes: Self.attributes), isTrained: true,
      thresholds: thresholds, temperatures: temperatures)
    let weights = SeededWeights(Network(description.configuration, purpose: .inference), seed: 5)
    try ModelFile.write(description, from: weights, to: path, type: type)
    model = try FaceModel(ModelFile(path: path), threads: 2)
  }

  deinit { unlink(path) }

  /// The repository's two photos in turn.
  static func photos(_ count: Int) -> [String] {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    return (0..<count).map { "\(root)/examples/data/\($0 % 2 == 0 ? "astronaut" : "astronaut_full").jpg" }
  }

  /// The probabilities of these photos, rows of three.
  func probabilities(_ paths: [String]) throws -> [Float] {
    var values = [Float](repeating: 0, count: paths.count * Self.attributes.count)
    let failures = try values.withUnsafeMutableBufferPointer { buffer in
      let start = try #require(buffer.baseAddress)
      return try model.predictEncoded(count: paths.count, into: PredictionOutputs(probabilities: start)) {
        try ImageDecoder().decode(path: paths[$0])
      }
    }
    try #require(failures.isEmpty)
    return values
  }
}

import BLANImages
import BLANTestSupport
import Foundation
import Testing

@testable import BLANDetection

/// Photos in which facenet-pytorch's MTCNN was asked for faces; Tests/Fixtures/generators/faces.py made them.
@Suite struct ReferenceTests {
  static let cases = [
    "astronaut", "several", "several-large", "several-strict", "several-coarse", "small", "small-enlarged", "cut-off",
    "none",
  ]

  private struct Description: Decodable {
    let photo: String
    let minimumFace: Double
    let thresholds: [Float]
    let factor: Double

    enum CodingKeys: String, CodingKey {
      case photo, thresholds, factor
      case minimumFace = "min_face"
    }

    var options: DetectionOptions {
      var options = DetectionOptions()
      options.minimumFace = minimumFace
      options.thresholds = thresholds
      options.factor = factor
      return options
    }
  }

  static func detector(threads: Int) throws -> FaceDetector {
    try FaceDetector(DetectorFile(path: Fixtures.path("../../models/mtcnn.safetensors")), threads: threads)
  }

  static func photo(_ name: String) throws -> Image {
    let path = name == "astronaut" ? "../../examples/data/astronaut_full.jpg" : "faces/\(name).jpg"
    return try ImageDecoder().decode(path: Fixtures.path(path))
  }

  @Test(arguments: cases) func facesAreThoseOfTheReference(name: String) throws {
    let fixture = try TensorFixture("faces/expected.safetensors")
    let description = try JSONDecoder().decode(Description.self, from: Data(fixture.word(name).utf8))
    let image = try Self.photo(description.photo)
    let boxes = try fixture.floats("\(name).boxes")
    let scores = try fixture.floats("\(name).scores")
    let landmarks = try fixture.floats("\(name).landmarks")
    for threads in [1, 3] {
      let faces = try image.withView { try Self.detector(threads: threads).detect($0, description.options) }
      try #require(faces.count == scores.count)
      for (index, face) in faces.enumerated() {
        #expect(abs(face.score - scores[index]) < 1e-4, "face \(index)")
        let box = [face.box.x0, face.box.y0, face.box.x1, face.box.y1]
        for side in 0..<4 { #expect(abs(box[side] - boxes[4 * index + side]) < 0.05, "face \(index), side \(side)") }
        for (point, place) in face.landmarks.enumerated() {
          let expected = (Double(landmarks[10 * index + 2 * point]), Double(landmarks[10 * index + 2 * point + 1]))
          #expect(abs(place.x - expected.0) < 0.05, "face \(index), landmark \(point)")
          #expect(abs(place.y - expected.1) < 0.05, "face \(index), landmark \(point)")
        }
      }
    }
  }

  @Test func fixturesHoldFacesAndNone() throws {
    let fixture = try TensorFixture("faces/expected.safetensors")
    #expect(try Self.cases.map { try fixture.floats("\($0).scores").count > 0 }.filter { $0 }.count >= 7)
    #expect(try fixture.floats("none.scores").isEmpty)
    #expect(try fixture.floats("several.scores").count >= 3)
  }
}

import BLANImages
import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANDetection

@Suite struct FaceDetectorTests {
  @Test func resultsDependOnNeitherThreadsNorEarlierCalls() throws {
    let large = try ReferenceTests.photo("several")
    let small = try ReferenceTests.photo("small")
    let detector = try ReferenceTests.detector(threads: 1)
    let first = try large.withView { try detector.detect($0) }
    #expect(first.count > 1)
    _ = try small.withView { try detector.detect($0) }
    #expect(try large.withView { try detector.detect($0) } == first)
    #expect(try large.withView { try ReferenceTests.detector(threads: 5).detect($0) } == first)
  }

  @Test func theLargestFacesComeFirstAndNoMoreThanWanted() throws {
    let image = try ReferenceTests.photo("several")
    let detector = try ReferenceTests.detector(threads: 2)
    let all = try image.withView { try detector.detect($0) }
    #expect(all.map(\.box.area) == all.map(\.box.area).sorted(by: >))
    var options = DetectionOptions()
    options.maximumFaces = 2
    #expect(try image.withView { try detector.detect($0, options) } == Array(all.prefix(2)))
  }

  @Test func everyPixelFormatGivesTheSameFaces() throws {
    let image = try ReferenceTests.photo("small")
    let detector = try ReferenceTests.detector(threads: 1)
    let expected = try image.withView { try detector.detect($0) }
    #expect(expected.count == 1)
    let rgb = Array(image.pixels.elements)
    var bgra: [UInt8] = []
    for pixel in 0..<image.width * image.height {
      bgra += [rgb[3 * pixel + 2], rgb[3 * pixel + 1], rgb[3 * pixel], 77]
    }
    let faces = try bgra.withUnsafeBufferPointer { bytes in
      let last = bytes.baseAddress.map { $0 + 4 * image.width * (image.height - 1) }
      let upsideDown = try ImageView(
        data: last, width: image.width, height: image.height, rowStride: -4 * image.width, format: .bgra8)
      _ = try detector.detect(upsideDown)
      return try detector.detect(
        ImageView(data: bytes.baseAddress, width: image.width, height: image.height, rowStride: 0, format: .bgra8))
    }
    #expect(faces == expected)
  }

  /// A pixel, lines, and sizes at which the pyramid's first level appears.
  @Test(arguments: [(1, 1), (1, 500), (500, 1), (19, 19), (20, 20), (21, 40), (13, 300)])
  func tinyImagesHaveNoFace(width: Int, height: Int) throws {
    let image = try Image(width: width, height: height)
    for index in 0..<image.pixels.count { image.pixels.elements[index] = UInt8(truncatingIfNeeded: index &* 7919) }
    #expect(try image.withView { try ReferenceTests.detector(threads: 2).detect($0) }.isEmpty)
  }

  @Test func thresholdsNearZeroStayBounded() throws {
    let image = try ReferenceTests.photo("none")
    var options = DetectionOptions()
    options.thresholds = [1e-30, 0.5, 0.5]
    options.minimumFace = 12
    #expect(try image.withView { try ReferenceTests.detector(threads: 2).detect($0, options) }.isEmpty)
  }

  @Test func optionsOutOfRangeAreNamed() throws {
    let image = try Image(width: 30, height: 30)
    let detector = try ReferenceTests.detector(threads: 1)
    let wrong: [(String, (inout DetectionOptions) -> Void)] = [
      ("min_face", { $0.minimumFace = 11.9 }), ("min_face", { $0.minimumFace = .nan }),
      ("min_face", { $0.minimumFace = .infinity }), ("thresholds[0]", { $0.thresholds[0] = 0 }),
      ("thresholds[2]", { $0.thresholds[2] = 1 }), ("thresholds[1]", { $0.thresholds[1] = .nan }),
      ("thresholds", { $0.thresholds = [] }), ("max_faces", { $0.maximumFaces = -1 }), ("factor", { $0.factor = 1 }),
      ("factor", { $0.factor = .nan }), ("factor", { $0.factor = 0 }),
    ]
    for (name, change) in wrong {
      var options = DetectionOptions()
      change(&options)
      let error = #expect(throws: BLANError.self) { try image.withView { try detector.detect($0, options) } }
      #expect(error?.kind == .invalidArgument)
      #expect(error?.message.contains(name) == true)
    }
  }

  @Test func anImageAboveTheLargestSideIsRefused() throws {
    let image = try Image(width: FaceDetector.largestSide + 1, height: 1)
    let error = #expect(throws: BLANError.self) {
      try image.withView { try ReferenceTests.detector(threads: 1).detect($0) }
    }
    #expect(error?.kind == .shape)
  }

  /// Weights that are not numbers, or huge, give boxes that are no place; nothing may trap.
  @Test(arguments: [Float.nan, .infinity, 1e30, -1e30, 0]) func damagedWeightsGiveNoFace(value: Float) throws {
    let image = try ReferenceTests.photo("small")
    let detector = try FaceDetector(weights: Constant(value: value), threads: 1)
    var options = DetectionOptions()
    options.thresholds = [1e-3, 1e-3, 1e-3]
    let faces = try image.withView { try detector.detect($0, options) }
    #expect(faces.allSatisfy { $0.box.x0.isFinite && $0.score <= 1 })
  }

  private struct Constant: TensorSource {
    let value: Float

    func withTensor<Result>(
      _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) throws -> Result {
      // Faces everywhere, at places that only these weights give.
      let values = (0..<shape.reduce(1, *)).map { name.contains("4_1.bias") ? Float($0) : value }
      return try values.withUnsafeBufferPointer(body)
    }
  }
}

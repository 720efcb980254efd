import BLANTensors
import Glibc
import Testing

@testable import BLANImages

@Suite struct FaceAlignmentTests {
  typealias Point = FaceAlignment.Point

  /// The template's points under a rotation, a scale and a shift.
  private func moved(scale: Double, degrees: Double, x: Double, y: Double) -> [Point] {
    let (a, b) = (scale * cos(degrees * .pi / 180), scale * sin(degrees * .pi / 180))
    return FaceAlignment.template.map { Point(a * $0.x - b * $0.y + x, b * $0.x + a * $0.y + y) }
  }

  @Test(arguments: [(1.0, 0.0, 0.0, 0.0), (2.5, 30, -40, 90), (0.3, -120, 700, 10), (1, 180, 5.5, -3.25)])
  func aKnownTransformIsRecovered(scale: Double, degrees: Double, x: Double, y: Double) throws {
    let fitted = try FaceAlignment.fit(to: moved(scale: scale, degrees: degrees, x: x, y: y))
    #expect(abs(fitted.a - scale * cos(degrees * .pi / 180)) < 1e-9)
    #expect(abs(fitted.b - scale * sin(degrees * .pi / 180)) < 1e-9)
    #expect(abs(fitted.tx - x) < 1e-6 && abs(fitted.ty - y) < 1e-6)
  }

  /// No small change of the four numbers brings displaced landmarks closer: the fit is the least-squares one.
  @Test func displacedLandmarksAreFittedByLeastSquares() throws {
    var stream = RandomStream(seed: 8, key: "landmarks")
    for _ in 0..<50 {
      let landmarks = moved(scale: 1.7, degrees: 20, x: 30, y: -12).map {
        Point($0.x + 12 * stream.nextUniform() - 6, $0.y + 12 * stream.nextUniform() - 6)
      }
      let fitted = try FaceAlignment.fit(to: landmarks)
      func error(_ a: Double, _ b: Double, _ tx: Double, _ ty: Double) -> Double {
        zip(FaceAlignment.template, landmarks).reduce(0) { sum, pair in
          let (p, q) = pair
          let (dx, dy) = (a * p.x - b * p.y + tx - q.x, b * p.x + a * p.y + ty - q.y)
          return sum + dx * dx + dy * dy
        }
      }
      let best = error(fitted.a, fitted.b, fitted.tx, fitted.ty)
      for step in [-1e-3, 1e-3] {
        #expect(error(fitted.a + step, fitted.b, fitted.tx, fitted.ty) > best)
        #expect(error(fitted.a, fitted.b + step, fitted.tx, fitted.ty) > best)
        #expect(error(fitted.a, fitted.b, fitted.tx + step, fitted.ty) > best)
        #expect(error(fitted.a, fitted.b, fitted.tx, fitted.ty + step) > best)
      }
    }
  }

  /// A smooth picture: colour by place, so that a pixel tells where it comes from.
  private func gradient(width: Int, height: Int) throws -> Image {
    let image = try Image(width: width, height: height)
    for y in 0..<height {
      for x in 0..<width {
        let pixel = image.pixels.pointer + 3 * (y * width + x)
        pixel[0] = UInt8(255 * x / (width - 1))
        pixel[1] = UInt8(255 * y / (height - 1))
        pixel[2] = 128
      }
    }
    return image
  }

  @Test(arguments: [(0.5, 10.0), (1, -25), (3, 15)])
  func alignedPixelsComeFromTheirPlaces(scale: Double, degrees: Double) throws {
    let photo = try gradient(width: 900, height: 900)
    let landmarks = moved(scale: scale, degrees: degrees, x: 240, y: 100)
    let similarity = try FaceAlignment.fit(to: landmarks)
    let face = try photo.withView { try FaceAlignment.align($0, landmarks: landmarks, threads: 2) }
    #expect((face.width, face.height) == (178, 218))
    for (x, y) in [(69, 111), (107, 111), (88, 135), (71, 152), (105, 152), (40, 60), (150, 200)] {
      let column = similarity.a * Double(x) - similarity.b * Double(y) + similarity.tx
      let row = similarity.b * Double(x) + similarity.a * Double(y) + similarity.ty
      let pixel = face.pixels.pointer + 3 * (y * face.width + x)
      #expect(abs(Double(pixel[0]) - 255 * column / 899) < 2, "(\(x), \(y)) at scale \(scale)")
      #expect(abs(Double(pixel[1]) - 255 * row / 899) < 2, "(\(x), \(y)) at scale \(scale)")
      #expect(pixel[2] == 128)
    }
  }

  @Test func aFaceInTheTemplatesPlaceStaysAsItIs() throws {
    let photo = try gradient(width: 178, height: 218)
    let face = try photo.withView { try FaceAlignment.align($0, landmarks: FaceAlignment.template, threads: 1) }
    #expect(ImageFixture.difference(ImageFixture.picture(face), ImageFixture.picture(photo)) <= 1)
  }

  /// A photo that is reduced gives its places alike wherever the face lies in it, its edges and beyond included.
  @Test(arguments: [(-300.0, -200.0), (0, 0), (1500, 900), (2700, 1900), (9000, 40), (-5000, -5000)])
  func aReducedPhotoIsSampledAtItsPlaces(x: Double, y: Double) throws {
    let photo = try gradient(width: 3000, height: 2200)
    let landmarks = moved(scale: 4.3, degrees: 8, x: x, y: y)
    let similarity = try FaceAlignment.fit(to: landmarks)
    let face = try photo.withView { try FaceAlignment.align($0, landmarks: landmarks, threads: 1) }
    for (column, row) in [(0, 0), (177, 0), (0, 217), (177, 217), (88, 135), (20, 190)] {
      let (u, v) = (Double(column), Double(row))
      let across = min(max(similarity.a * u - similarity.b * v + similarity.tx, 0), 2999)
      let down = min(max(similarity.b * u + similarity.a * v + similarity.ty, 0), 2199)
      let pixel = face.pixels.pointer + 3 * (row * face.width + column)
      #expect(abs(Double(pixel[0]) - 255 * across / 2999) < 2, "(\(column), \(row))")
      #expect(abs(Double(pixel[1]) - 255 * down / 2199) < 2, "(\(column), \(row))")
    }
  }

  @Test func placesOutsideTakeTheNearestPixel() throws {
    let photo = try Image(width: 20, height: 20)
    photo.pixels.elements.update(repeating: 77)
    let face = try photo.withView { try FaceAlignment.align($0, landmarks: FaceAlignment.template, threads: 1) }
    #expect(face.pixels.elements.allSatisfy { $0 == 77 })
  }

  @Test func landmarksThatMakeNoFaceAreRefused() throws {
    let good = FaceAlignment.template
    for wrong in [
      [], Array(good.prefix(4)), [Point](repeating: Point(5, 5), count: 5),
      Array(good.prefix(4)) + [Point(.nan, 0)], Array(good.prefix(4)) + [Point(0, .infinity)],
      Array(good.prefix(4)) + [Point(1e300, 0)],
    ] {
      #expect(throws: BLANError.self) { try FaceAlignment.fit(to: wrong) }
    }
  }
}

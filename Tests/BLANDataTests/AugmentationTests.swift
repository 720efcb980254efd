import BLANImages
import BLANTensors
import Testing

@testable import BLANData

extension Augmentation {
  /// All that a test can ask for at once.
  static let everything = Augmentation(
    shift: 0.1, zoom: 0.2, rotation: 10, brightness: 0.3, contrast: 0.3, saturation: 0.3, mirror: true, cutout: 0.3)
}

@Suite struct AugmentationTests {
  @Test func nothingHappensUnlessAskedFor() {
    for item in 0..<50 { #expect(Augmentation().draw(seed: 1, epoch: 0, item: item) == AugmentationDraw()) }
  }

  @Test func halfOfTheImagesAreMirrored() {
    let mirrored = (0..<1000).filter { Augmentation(mirror: true).draw(seed: 1, epoch: 0, item: $0).mirrors }
    #expect((430...570).contains(mirrored.count))
    let later = (0..<1000).filter { Augmentation(mirror: true).draw(seed: 1, epoch: 1, item: $0).mirrors }
    #expect(later != mirrored)
  }

  @Test func planesAreMirroredLeftAndRight() {
    let rgb: [UInt8] = (0..<12).map { UInt8($0) }
    let table = (0..<768).map { Float($0) }
    var planes = [Float](repeating: -1, count: 12)
    PixelPlanes.normalise(rgb, size: 2, mirrors: true, table: table, into: &planes)
    #expect(planes == [3, 0, 9, 6, 260, 257, 266, 263, 517, 514, 523, 520])
  }

  @Test func drawsKeepToTheirRangesAndUseThem() {
    let draws = (0..<2000).map { Augmentation.everything.draw(seed: 5, epoch: 2, item: $0) }
    func check(_ value: (AugmentationDraw) -> Double, _ low: Double, _ high: Double) {
      let values = draws.map(value)
      let slack = 0.02 * (high - low)
      #expect(values.allSatisfy { $0 >= low - 1e-6 && $0 <= high + 1e-6 })
      #expect(values.contains { $0 < low + slack } && values.contains { $0 > high - slack })
    }
    check({ $0.shift.x }, -0.1, 0.1)
    check({ $0.shift.y }, -0.1, 0.1)
    check({ $0.enlargement }, 1 / 1.2, 1.2)
    check({ $0.radians }, -.pi / 18, .pi / 18)
    check({ Double($0.colour.brightness) }, 0.7, 1.3)
    check({ Double($0.colour.contrast) }, 0.7, 1.3)
    check({ Double($0.colour.saturation) }, 0.7, 1.3)
    check({ $0.cutout.x }, 0, 1)
    check({ $0.cutout.y }, 0, 1)
  }

  @Test func oneChangeLeavesTheOthersAsTheyWere() {
    let mirrored = Augmentation(mirror: true).draw(seed: 1, epoch: 0, item: 4).mirrors
    #expect(Augmentation(rotation: 20, mirror: true, cutout: 0.5).draw(seed: 1, epoch: 0, item: 4).mirrors == mirrored)
  }

  @Test func propertiesOutOfRangeAreNamed() throws {
    let wrong: [(String, Augmentation)] = [
      ("shift", Augmentation(shift: 0.6)), ("zoom", Augmentation(zoom: -0.1)),
      ("rotation", Augmentation(rotation: .nan)), ("brightness", Augmentation(brightness: 1.1)),
      ("contrast", Augmentation(contrast: .infinity)), ("saturation", Augmentation(saturation: -1)),
      ("cutout", Augmentation(cutout: 2)),
    ]
    for (name, augmentation) in wrong {
      let error = #expect(throws: BLANError.self) { try augmentation.validate() }
      #expect(try #require(error).message.hasPrefix(name))
    }
  }

  @Test func squaresAreBlankedAsFarAsTheyLieInside() {
    func blanked(x: Double, y: Double, side: Double) -> [Int] {
      var planes = [Float](repeating: 1, count: 48)
      PixelPlanes.blank(&planes, size: 4, x: x, y: y, side: side)
      #expect(planes[..<16] == planes[16..<32] && planes[..<16] == planes[32...])
      return (0..<16).filter { planes[$0] == 0 }
    }
    #expect(blanked(x: 0.5, y: 0.5, side: 0.5) == [5, 6, 9, 10])
    #expect(blanked(x: 0, y: 1, side: 0.5) == [12])
    #expect(blanked(x: 0.75, y: 0.25, side: 0.5) == [2, 3, 6, 7])
    #expect(blanked(x: 0.999, y: 0.5, side: 0) == [])
    #expect(blanked(x: 0.5, y: 0.5, side: 1) == Array(0..<16))
  }

  @Test func coloursChangeAsDescribed() {
    let pixels: [UInt8] = [10, 20, 30, 200, 100, 50]
    func changed(_ change: ColourChange) -> [UInt8] {
      var copy = pixels
      change.apply(to: &copy, count: 2)
      return copy
    }
    #expect(changed(ColourChange()) == pixels)
    #expect(changed(ColourChange(brightness: 1.5)) == [15, 30, 45, 255, 150, 75])
    // Greys 18.15 and 124.2, their mean 71.175.
    #expect(changed(ColourChange(contrast: 0.5)) == [41, 46, 51, 136, 86, 61])
    #expect(changed(ColourChange(contrast: 0)) == [71, 71, 71, 71, 71, 71])
    #expect(changed(ColourChange(saturation: 0)) == [18, 18, 18, 124, 124, 124])
    #expect(changed(ColourChange(brightness: 0.5, saturation: 2)) == [1, 11, 21, 138, 38, 0])
  }

  @Test func imagesAreShiftedTurnedAndEnlargedAboutTheirMiddle() throws {
    // The value at (x, y) is 10 x + 60 y in red: a plane, which bilinear sampling keeps.
    func side(_ draw: AugmentationDraw, stored: Int = 4, size: Int = 4) throws -> [[Int]] {
      let image = try Image(width: stored, height: stored)
      for index in 0..<stored * stored {
        image.pixels.elements[3 * index] = UInt8(10 * (index % stored) + 60 * (index / stored))
      }
      let result = try Image(width: size, height: size)
      let similarity = try #require(draw.similarity(stored: stored, size: size))
      try image.withView { similarity.warp($0, into: result, threads: 1) }
      return (0..<size).map { y in (0..<size).map { Int(result.pixels.elements[3 * (y * size + $0)]) } }
    }
    var shifted = AugmentationDraw()
    shifted.shift.x = 0.25
    #expect(try side(shifted) == [[0, 0, 10, 20], [60, 60, 70, 80], [120, 120, 130, 140], [180, 180, 190, 200]])
    var turned = AugmentationDraw()
    turned.radians = .pi / 2
    // The upper right corner comes to the upper left.
    #expect(
      try side(turned) == [[30, 90, 150, 210], [20, 80, 140, 200], [10, 70, 130, 190], [0, 60, 120, 180]])
    var enlarged = AugmentationDraw()
    enlarged.enlargement = 2
    #expect(try side(enlarged)[0] == [52, 58, 62, 68])
    #expect(try side(AugmentationDraw(), stored: 4, size: 2) == [[35, 55], [155, 175]])
    #expect(AugmentationDraw().similarity(stored: 4, size: 4) == nil)
  }

  @Test func storedImagesAreLargeEnoughToEnlarge() {
    #expect(Augmentation(zoom: 0.1).storedSize(for: 128) == 141)
    #expect(Augmentation(shift: 0.5, rotation: 30).storedSize(for: 128) == 128)
  }
}

import Testing

@testable import BLANData

extension Augmentation {
  /// All that a test can ask for at once.
  static let everything = Augmentation(mirror: true)
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
}

import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANImages

/// A thousand damaged JPEG and a thousand damaged PNG files: each is decoded or refused with words.
@Suite struct MutationTests {
  private static let count = 1000

  @Test(arguments: [".jpg", ".png"]) func damagedFiles(kind: String) throws {
    let originals = ImageFixture.files.filter { $0.hasSuffix(kind) }.map { Fixtures.bytes("images/" + $0) }
    var stream = RandomStream(seed: 2020, key: kind)
    var decoded = 0
    var refused: [BLANError.Kind: Int] = [:]
    for round in 0..<Self.count {
      var damaged = Mutation.of(originals[round % originals.count], head: 64, &stream)
      // Checksums would catch nearly all damage to a PNG before it gets anywhere: half of them are made right again.
      if kind == ".png" && round % 2 == 0 { damaged = PNGChecksums.repaired(damaged) }
      do {
        // A limit well above the fixtures' sizes: damage to the header must not make the decoder take gigabytes.
        let picture = try ImageFixture.decode(damaged, maximumPixels: 1 << 20)
        #expect(picture.rgb.count == picture.width * picture.height * 3, "round \(round)")
        decoded += 1
      } catch let error as BLANError {
        #expect(error.message.contains("it"), "round \(round): \(error)")
        #expect(error.kind != .internal && error.kind != .outOfMemory, "round \(round): \(error)")
        refused[error.kind, default: 0] += 1
      }
    }
    #expect(decoded + refused.values.reduce(0, +) == Self.count)
    #expect(decoded > 10 && (refused[.format] ?? 0) > 200, "\(decoded) decoded, \(refused)")
  }

  /// EXIF blocks of random bytes and of damaged directories.
  @Test func damagedOrientations() {
    let block: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]
    #expect(block.withUnsafeBytes { EXIF.orientation(inTIFF: $0) } == .clockwise)
    var stream = RandomStream(seed: 2020, key: "EXIF")
    var turned = 0
    for _ in 0..<Self.count {
      let damaged = Mutation.of(block, head: 12, &stream)
      if damaged.withUnsafeBytes({ EXIF.orientation(inTIFF: $0) }) != .upright { turned += 1 }
      let segment: [UInt8] = [0xff, 0xd8, 0xff, 0xe1, 0, 34] + Array("Exif\0\0".utf8) + damaged + [0xff, 0xd9]
      _ = segment.withUnsafeBytes { EXIF.orientation(inJPEG: $0) }
    }
    #expect(turned > 50 && turned < Self.count)
  }
}

import BLANTensors
import BLANTestSupport
import Glibc
import Testing

@testable import BLANImages

/// Decoding against Pillow, and refusals.
@Suite struct ImageDecoderTests {
  @Test func everyFixtureIsTested() throws {
    let names = try TensorFixture("images/expected.safetensors").names.filter { !$0.hasPrefix("resized.") }
    #expect(names == ImageFixture.files)
  }

  /// PNG exactly; JPEG to one step, which decoders of one standard may differ by.
  @Test(arguments: ImageFixture.files) func filesShowWhatPillowShows(name: String) throws {
    let picture = try ImageFixture.decode(Fixtures.bytes("images/" + name))
    let tolerance = name.hasSuffix(".png") ? 0 : 1
    #expect(ImageFixture.difference(picture, try ImageFixture.expected(name)) <= tolerance)
    let fromFile = try ImageDecoder().decode(path: Fixtures.path("images/" + name))
    #expect(ImageFixture.picture(fromFile) == picture)
  }

  @Test func theEightOrientationsShowOnePicture() throws {
    let upright = try ImageFixture.decode(Fixtures.bytes("images/orientation-1.jpg"))
    // The stored pixels are alike, so each orientation is upright's pixels in another order.
    for orientation in 2...8 {
      let turned = try ImageFixture.decode(Fixtures.bytes("images/orientation-\(orientation).jpg"))
      #expect(turned.rgb != upright.rgb)
      #expect(turned.rgb.sorted() == upright.rgb.sorted())
      #expect((turned.width, turned.height) == (orientation < 5 ? (24, 16) : (16, 24)))
    }
  }

  @Test func aBombIsRefusedBeforeItIsDecoded() throws {
    let bytes = Fixtures.bytes("images/photo.png")
    #expect(throws: BLANError.self) { try ImageFixture.decode(bytes, maximumPixels: 61 * 47 - 1) }
    #expect(try ImageFixture.decode(bytes, maximumPixels: 61 * 47).width == 61)
    // A header that claims 65,500 x 65,500: 12 GB of pixels out of a hundred bytes.
    var bomb = Fixtures.bytes("images/orientation-1.jpg")
    let frame = try #require(bomb.indices.dropLast().first { bomb[$0] == 0xff && bomb[$0 + 1] == 0xc0 })
    for (offset, byte) in [(5, 0xff), (6, 0xdc), (7, 0xff), (8, 0xdc)] { bomb[frame + offset] = UInt8(byte) }
    do {
      _ = try ImageFixture.decode(bomb)
      Issue.record("it was decoded")
    } catch let error as BLANError {
      #expect(error.kind == .invalidArgument)
      #expect(error.message.contains("65500x65500") && error.message.contains("maximum_pixels"))
    }
  }

  @Test func otherFilesAreNamed() throws {
    func kind(_ bytes: [UInt8]) -> BLANError.Kind? {
      do {
        _ = try ImageFixture.decode(bytes)
        return nil
      } catch { return (error as? BLANError)?.kind }
    }
    #expect(kind([]) == .format)
    #expect(kind(Array("GIF89a".utf8)) == .unsupported)
    #expect(kind([0xff, 0xd8]) == .format)
    #expect(kind([0x89, 0x50, 0x4e, 0x47]) == .format)
    let folder = try TemporaryFolder()
    #expect(throws: BLANError.self) { try ImageDecoder().decode(path: folder.file("none.png")) }
    #expect(throws: BLANError.self) { try ImageDecoder().decode(path: folder.path) }
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    #expect(throws: BLANError.self) { try ImageDecoder().decode(path: folder.file("pipe")) }
  }

  /// Half a photo is no photo, whichever the half.
  @Test(arguments: ["photo.png", "rgb.png", "grey.jpg", "progressive.jpg", "cmyk.jpg"])
  func truncatedFilesAreDamaged(name: String) throws {
    let bytes = Fixtures.bytes("images/" + name)
    for count in [bytes.count / 4, bytes.count / 2, bytes.count * 3 / 4] {
      do {
        _ = try ImageFixture.decode(Array(bytes.prefix(count)))
        Issue.record("\(name): \(count) of \(bytes.count) bytes were decoded")
      } catch let error as BLANError {
        #expect(error.kind == .format, "\(error)")
        #expect(error.message.contains("it"))
      }
    }
  }

  /// Bytes between markers that belong to nothing: some cameras write them, and every viewer reads over them.
  @Test func strayBytesAreReadOver() throws {
    let bytes = Fixtures.bytes("images/grey.jpg")
    let expected = try ImageFixture.decode(bytes)
    for marker: UInt8 in [0xdb, 0xc0, 0xc4, 0xda] {
      let place = try #require(bytes.indices.dropLast().first { bytes[$0] == 0xff && bytes[$0 + 1] == marker })
      let stray = Array(bytes[..<place]) + [0, 7, 0] + Array(bytes[place...])
      #expect(try ImageFixture.decode(stray) == expected, "before marker \(marker)")
      // The first warning must not hide that the end is missing.
      #expect(throws: BLANError.self) { try ImageFixture.decode(Array(stray.dropLast(30))) }
    }
  }
}

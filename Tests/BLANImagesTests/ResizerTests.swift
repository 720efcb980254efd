import BLANTensors
import BLANTestSupport
import CBLANKernels
import Testing

@testable import BLANImages

@Suite struct ResizerTests {
  private func photo() throws -> Image { try ImageDecoder().decode(path: Fixtures.path("images/photo.png")) }

  @Test(arguments: ImageFixture.resized) func sizesAreThoseOfPillow(width: Int, height: Int) throws {
    let expected = try ImageFixture.expected("resized.\(width)x\(height)")
    for threads in [1, 3] {
      let image = try photo().withView { try Resizer.resize($0, width: width, height: height, threads: threads) }
      #expect(ImageFixture.difference(ImageFixture.picture(image), expected) <= 1)
    }
  }

  @Test func theSameSizeChangesNothing() throws {
    let photo = try photo()
    let image = try photo.withView { try Resizer.resize($0, width: 61, height: 47, threads: 1) }
    #expect(ImageFixture.picture(image) == ImageFixture.picture(photo))
  }

  /// One picture in every pixel format, with rows apart, bottom row first, and both.
  @Test(arguments: PixelFormat.allCases) func formatsAndStridesMakeNoDifference(format: PixelFormat) throws {
    let photo = ImageFixture.picture(try photo())
    var reference = photo
    if format == .gray8 {
      for place in 0..<photo.width * photo.height {
        for channel in 0..<3 { reference.rgb[3 * place + channel] = photo.rgb[3 * place + 1] }
      }
    }
    let expected = try resized(reference.rgb, photo.width, photo.height, 0, .rgb8, 0)
    for gap in [0, 5] {
      for bottomFirst in [false, true] {
        let rowBytes = photo.width * format.bytesPerPixel + gap
        var bytes = [UInt8](repeating: 0xa5, count: rowBytes * photo.height)
        for y in 0..<photo.height {
          let row = (bottomFirst ? photo.height - 1 - y : y) * rowBytes
          for x in 0..<photo.width {
            let rgb = Array(photo.rgb[3 * (y * photo.width + x)..<3 * (y * photo.width + x) + 3])
            let place = row + x * format.bytesPerPixel
            switch format {
            case .rgb8, .rgba8: bytes.replaceSubrange(place..<place + 3, with: rgb)
            case .bgr8, .bgra8: bytes.replaceSubrange(place..<place + 3, with: rgb.reversed())
            case .gray8: bytes[place] = rgb[1]
            }
          }
        }
        let first = bottomFirst ? rowBytes * (photo.height - 1) : 0
        let stride = bottomFirst ? -rowBytes : rowBytes
        #expect(try resized(bytes, photo.width, photo.height, stride, format, first) == expected)
      }
    }
  }

  private func resized(
    _ bytes: [UInt8], _ width: Int, _ height: Int, _ stride: Int, _ format: PixelFormat, _ first: Int
  ) throws -> [UInt8] {
    try bytes.withUnsafeBufferPointer { buffer in
      let view = try ImageView(
        data: buffer.baseAddress.map { $0 + first }, width: width, height: height, rowStride: stride, format: format)
      return ImageFixture.picture(try Resizer.resize(view, width: 40, height: 33, threads: 1)).rgb
    }
  }

  /// Rows of one colour each: every column of the wide result, which takes several bands, is the narrow one, which takes
  /// one.
  @Test(arguments: [1, 3]) func bandsMakeNoDifference(threads: Int) throws {
    let (height, width, rows) = (9000, 400, 300)
    let bytes = (0..<height).flatMap { y -> [UInt8] in
      let colour = (0..<3).map { UInt8(truncatingIfNeeded: (3 * y + $0) &* 2_654_435_761 >> 13) }
      return colour + colour
    }
    try bytes.withUnsafeBufferPointer { buffer in
      let view = try ImageView(data: buffer.baseAddress, width: 2, height: height, rowStride: 0, format: .rgb8)
      let narrow = ImageFixture.picture(try Resizer.resize(view, width: 1, height: rows, threads: 1)).rgb
      let wide = ImageFixture.picture(try Resizer.resize(view, width: width, height: rows, threads: threads)).rgb
      for y in 0..<rows {
        let colour = narrow[3 * y..<3 * y + 3]
        for x in 0..<width { #expect(wide[3 * (y * width + x)..<3 * (y * width + x) + 3].elementsEqual(colour)) }
      }
    }
  }

  /// A tall strip of pixels, which a small file can hold, takes memory in proportion to itself.
  @Test(arguments: [128, 256, 512]) func tallImagesTakeLittleMemory(side: Int) throws {
    let height = 4_000_000
    let bytes = blan_k_resize_workspace_bytes(1, height, side, side)
    #expect(bytes > 0 && bytes < 15 * height)
  }

  @Test func scratchOfUnusualImagesIsNotKept() throws {
    let bytes = [UInt8](repeating: 7, count: 3 * 2_000_000)
    try bytes.withUnsafeBufferPointer { buffer in
      let scratch = ResizeScratch()
      let usual = try ImageView(data: buffer.baseAddress, width: 200, height: 200, rowStride: 0, format: .rgb8)
      try scratch.withWorkspace(for: usual, width: 64, height: 64) { _ in }
      #expect(scratch.buffer != nil)
      let tall = try ImageView(data: buffer.baseAddress, width: 1, height: 2_000_000, rowStride: 0, format: .rgb8)
      try scratch.withWorkspace(for: tall, width: 64, height: 64) { _ in }
      #expect(scratch.buffer == nil)
    }
  }

  @Test func impossibleViewsAreNamed() throws {
    let byte: [UInt8] = [0]
    byte.withUnsafeBufferPointer { buffer in
      let data = buffer.baseAddress
      func kind(_ data: UnsafePointer<UInt8>?, _ width: Int, _ height: Int, _ stride: Int) -> BLANError.Kind? {
        do {
          _ = try ImageView(data: data, width: width, height: height, rowStride: stride, format: .rgb8)
          return nil
        } catch { return (error as? BLANError)?.kind }
      }
      #expect(kind(nil, 1, 1, 0) == .invalidArgument)
      #expect(kind(data, 0, 1, 0) == .shape)
      #expect(kind(data, 1, -1, 0) == .shape)
      #expect(kind(data, ImageView.largestSide + 1, 1, 0) == .shape)
      #expect(kind(data, 2, 1, 5) == .shape)
      #expect(kind(data, 2, 1, -5) == .shape)
      #expect(kind(data, 1, 1, .min) == .shape)
      #expect(kind(data, 1, 2, .max) == .shape)
      #expect(kind(data, 2, 1, 6) == nil)
    }
  }

  @Test func preparedPixelsAreResizedAndNormalised() throws {
    let mean: [Float] = [0.485, 0.456, 0.406]
    let std: [Float] = [0.229, 0.224, 0.225]
    let photo = try photo()
    let resized = try photo.withView { try Resizer.resize($0, width: 32, height: 32, threads: 1) }
    var planes = [Float](repeating: .nan, count: 3 * 32 * 32)
    let preprocessor = Preprocessor(size: 32, mean: mean, std: std)
    let scratch = ResizeScratch()
    for threads in [1, 2] {
      try planes.withUnsafeMutableBufferPointer { planes in
        let start = try #require(planes.baseAddress)
        try photo.withView { try preprocessor.prepare($0, into: start, scratch: scratch, threads: threads) }
      }
      for channel in 0..<3 {
        for place in 0..<32 * 32 {
          let value = (Float(resized.pixels.pointer[3 * place + channel]) / 255 - mean[channel]) / std[channel]
          #expect(abs(planes[channel * 1024 + place] - value) < 1e-6)
        }
      }
    }
  }
}

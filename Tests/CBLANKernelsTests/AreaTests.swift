import BLANTensors
import CBLANKernels
import Testing

@Suite struct AreaTests {
  struct Case: Sendable {
    var pixelStep = 3
    var isBottomUp = false
    var region = (x: 0, y: 0, width: 41, height: 29)
    var out = (width: 17, height: 12)
    var part: (x: Int, y: Int, width: Int, height: Int)?
  }

  /// Reduced, enlarged and unchanged; a region of the image and a part of the result; every kind of pixels.
  static let cases = [
    Case(), Case(out: (41, 29)), Case(out: (90, 64)), Case(out: (1, 1)), Case(out: (24, 3)),
    Case(region: (5, 3, 20, 11), out: (24, 24)), Case(region: (40, 28, 1, 1), out: (24, 24)),
    Case(part: (4, 3, 9, 5)), Case(region: (2, 7, 30, 20), out: (48, 13), part: (30, 1, 18, 12)),
    Case(pixelStep: 4), Case(pixelStep: 1), Case(isBottomUp: true, region: (3, 3, 21, 25), out: (10, 10)),
  ]

  @Test(arguments: cases) func resamplingMatchesTheReference(c: Case) throws {
    var noise = Noise(81)
    let (width, height, step) = (41, 29, c.pixelStep)
    let bytes = (0..<width * height * step).map { _ in UInt8(clamping: Int(128 + 128 * noise.next())) }
    let part = c.part ?? (0, 0, c.out.width, c.out.height)
    var area = blan_k_area(
      in_x: c.region.x, in_y: c.region.y, in_width: c.region.width, in_height: c.region.height,
      out_width: c.out.width, out_height: c.out.height, x: part.0, y: part.1, width: part.2, height: part.3,
      offset: 100, factor: 0.0078125)
    let rowStep = part.2 + 3
    let planeStep = rowStep * part.3 + 5
    try bytes.withUnsafeBufferPointer { bytes in
      let first = try #require(bytes.baseAddress)
      let row = width * step
      var pixels = blan_k_pixels(
        data: c.isBottomUp ? first + (height - 1) * row : first, width: width, height: height,
        row_step: c.isBottomUp ? -row : row, pixel_step: step, channels: step == 1 ? (0, 0, 0) : (2, 1, 0))
      let expected = try AlignedBuffer<Float>(count: 3 * planeStep)
      blan_k_area_resample_reference(&pixels, &area, expected.pointer, rowStep, planeStep)
      try onEveryInstructionSet { isa in
        let workspace = try AlignedBuffer<UInt8>(count: blan_k_area_workspace_bytes(&pixels, &area))
        for index in 0..<workspace.count { workspace.pointer[index] = 0xa5 }
        let actual = try AlignedBuffer<Float>(count: 3 * planeStep)
        blan_k_area_resample(&pixels, &area, actual.pointer, rowStep, planeStep, workspace.pointer)
        #expect(relativeError(actual, expected) < 1e-6, "isa \(isa)")
      }
    }
  }

  /// Windows from floor(i in / out) to ceil((i + 1) in / out), by hand: five columns to three are 0-1, 1-3 and 3-4.
  @Test func windowsMayOverlap() throws {
    let bytes: [UInt8] = [10, 20, 60, 40, 100]
    var area = blan_k_area(
      in_x: 0, in_y: 0, in_width: 5, in_height: 1, out_width: 3, out_height: 1, x: 0, y: 0, width: 3, height: 1,
      offset: 0, factor: 1)
    try bytes.withUnsafeBufferPointer { bytes in
      var pixels = blan_k_pixels(
        data: bytes.baseAddress, width: 5, height: 1, row_step: 5, pixel_step: 1, channels: (0, 0, 0))
      let workspace = try AlignedBuffer<UInt8>(count: blan_k_area_workspace_bytes(&pixels, &area))
      let out = try AlignedBuffer<Float>(count: 9)
      blan_k_area_resample(&pixels, &area, out.pointer, 3, 3, workspace.pointer)
      #expect(Array(out.elements) == [15, 40, 70, 15, 40, 70, 15, 40, 70])
    }
  }
}

import BLANTensors
import BLANTestSupport
import BLANWeights
import Testing

@testable import BLANDetection

@Suite struct DetectorFileTests {
  @Test func theBundledFileHasTheTensorsOfTheCascade() throws {
    let file = try DetectorFile(path: Fixtures.path("../../models/mtcnn.safetensors"))
    let tensors = CascadeNetwork.all.flatMap(\.tensors)
    #expect(tensors.count == 50)
    #expect(tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } == 495_850)
    for (name, shape) in tensors {
      let areNumbers = try file.withTensor(name, shape: shape) { values in values.allSatisfy { $0.isFinite } }
      #expect(areNumbers, "\(name)")
    }
  }

  @Test func aModelIsNoDetector() throws {
    expect(.format, "format \"blan\"") {
      try DetectorFile(path: Fixtures.path("../../models/default.safetensors"))
    }
    expect(.io, "cannot open") { try DetectorFile(path: Fixtures.path("none.safetensors")) }
  }

  @Test func truncatedAndDamagedFilesAreRefused() throws {
    let whole = Fixtures.bytes("../../models/mtcnn.safetensors")
    #expect(whole.count > 1_000_000)
    for length in [0, 7, 8, 100, 5000, whole.count / 2, whole.count - 1] {
      whole.prefix(length).withUnsafeBytes { bytes in
        let error = #expect(throws: BLANError.self) { try DetectorFile(borrowing: bytes) }
        #expect(error?.kind == .format)
      }
    }
    let text = Array("pnet.conv1.weight".utf8)
    let at = try #require((0..<10_000).first { whole[$0..<$0 + text.count].elementsEqual(text) })
    var renamed = whole
    renamed[at] = UInt8(ascii: "q")
    renamed.withUnsafeBytes { bytes in
      expect(.format, "pnet.conv1.weight") { try DetectorFile(borrowing: bytes) }
    }
  }

  private func expect(_ kind: BLANError.Kind, _ words: String, _ body: () throws -> DetectorFile) {
    let error = #expect(throws: BLANError.self) { _ = try body() }
    #expect(error?.kind == kind)
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
  }
}

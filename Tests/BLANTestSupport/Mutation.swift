import BLANTensors

/// Damage as files suffer it and as attackers try it.
public enum Mutation {
  /// Overwrites, inserts, removes, repeats or cuts bytes, one to four times, half of them within the first `head` bytes.
  public static func of(_ bytes: [UInt8], head: Int, _ stream: inout RandomStream) -> [UInt8] {
    var bytes = bytes
    let extremes: [UInt8] = [0, 1, 0x7f, 0x80, 0xff] + Array("0-9\"{}[]:,".utf8)
    for _ in 0..<Int.random(in: 1...4, using: &stream) where !bytes.isEmpty {
      let limit = Bool.random(using: &stream) ? min(head, bytes.count) : bytes.count
      let place = Int.random(in: 0..<limit, using: &stream)
      let isExtreme = Bool.random(using: &stream)
      let byte = isExtreme ? extremes.randomElement(using: &stream) ?? 0 : UInt8.random(in: 0...255, using: &stream)
      switch Int.random(in: 0..<6, using: &stream) {
      case 0, 1: bytes[place] = byte
      case 2: bytes.insert(byte, at: place)
      case 3: bytes.removeSubrange(place..<min(place + Int.random(in: 1...9, using: &stream), bytes.count))
      case 4: bytes.insert(contentsOf: bytes[place..<min(place + 40, bytes.count)], at: place)
      default: bytes.removeSubrange(place...)
      }
    }
    return bytes
  }
}

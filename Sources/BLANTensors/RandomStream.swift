import Glibc

/// SplitMix64, with uniform and normal variates: the library's one source of random numbers. Its whole state is one
/// number, so a checkpoint can hold it.
public struct RandomStream: Sendable, RandomNumberGenerator {
  public private(set) var state: UInt64

  public init(state: UInt64) { self.state = state }

  /// A stream of its own for every pair of seed and key (FNV-1a of the key's UTF-8).
  public init(seed: UInt64, key: String) {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    var mixer = RandomStream(state: seed)
    state = mixer.next() ^ hash
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Uniform in [0, 1).
  public mutating func nextUniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Standard normal (Box and Muller).
  public mutating func nextNormal() -> Double {
    let radius = (-2 * log(1 - nextUniform())).squareRoot()
    return radius * cos(2 * .pi * nextUniform())
  }
}

extension Dataset {
  /// A hash (FNV-1a) of the paths and labels: it tells whether a run goes on with the data that it began with.
  public var fingerprint: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    for path in paths {
      for byte in path.utf8 { add(byte) }
      add(0)
    }
    for label in labels { add(UInt8(bitPattern: label)) }
    return hash
  }
}

extension Dataset {
  /// A hash (FNV-1a) of labels and of paths within the data's folder: it tells whether a run goes on with the data that it
  /// began with, which may lie elsewhere by now.
  public var fingerprint: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    // The source is the folder, or a file in it.
    let folders = [source, FileSystem.folder(of: source)].map { Array($0.utf8) + [UInt8(ascii: "/")] }
    for path in paths {
      let folder = folders.first { path.utf8.starts(with: $0) } ?? []
      for byte in path.utf8.dropFirst(folder.count) { add(byte) }
      add(0)
    }
    for label in labels { add(UInt8(bitPattern: label)) }
    return hash
  }
}

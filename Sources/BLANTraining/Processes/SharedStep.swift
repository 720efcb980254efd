import BLANTensors

/// A step whose batch lies in several processes, one part behind the other in the order of ranks.
struct SharedStep {
  let communicator: Communicator
  /// Images of each process; there may be none in one.
  let images: [Int]

  var rank: Int { communicator.group.rank }
  /// Images of all processes.
  var wholeBatch: Int { images.reduce(0, +) }
  /// Images before those of this process.
  var firstImage: Int { images[..<rank].reduce(0, +) }

  /// The process that has the image behind this process's last, or in front of its first; cyclic.
  func neighbour(step: Int) -> Int {
    let size = images.count
    for distance in 1...size {
      let rank = (rank + distance * step % size + size) % size
      if images[rank] > 0 { return rank }
    }
    return rank
  }
}

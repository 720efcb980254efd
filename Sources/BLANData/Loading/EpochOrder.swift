import BLANTensors

/// In which order an epoch goes through the items.
enum EpochOrder {
  /// A permutation that depends on the seed and the epoch alone.
  static func shuffled(count: Int, seed: UInt64, epoch: Int) -> [Int] {
    shuffled(count: count, seed: seed, key: "order/\(epoch)")
  }

  /// Fisher and Yates's shuffle, spelt out: the order must stay the same under every release of Swift.
  static func shuffled(count: Int, seed: UInt64, key: String) -> [Int] {
    var stream = RandomStream(seed: seed, key: key)
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      // The high half of the 128-bit product: uniform but for a bias of count / 2^64.
      let pick = Int(stream.next().multipliedFullWidth(by: UInt64(last + 1)).high)
      order.swapAt(last, pick)
    }
    return order
  }
}

import BLANData
import BLANTensors
import Synchronization

@testable import BLANTraining

/// Threads in the place of processes: each gets a ``ProcessGroup`` whose sum is theirs.
final class ThreadGroup: @unchecked Sendable {
  let size: Int
  /// Which sum of each process fails, from 1; nil for none.
  var failing: Int?

  private let monitor = Monitor()
  // Touched under the monitor alone.
  private var parts: [(values: UnsafeMutablePointer<Float>, count: Int)?]
  private var round = 0
  private var hasLost = false
  private var calls = 0
  /// Floats of each sum, in order.
  private(set) var counts: [Int] = []

  init(_ size: Int) {
    self.size = size
    parts = Array(repeating: nil, count: size)
  }

  /// Runs `body` as every process at once.
  ///
  /// - Returns: what each came to, by rank.
  func run<Value: Sendable>(
    synchronised: Bool = true, _ body: @escaping @Sendable (Communicator) throws -> Value
  ) throws -> [Result<Value, any Error>] {
    let results = Mutex([Result<Value, any Error>?](repeating: nil, count: size))
    let threads = try (0..<size).map { rank in
      try WorkerThread { [self] in
        let result = Result { try body(communicator(rank, synchronised)) }
        results.withLock { $0[rank] = result }
        leave()
      }
    }
    for thread in threads { thread.join() }
    return results.withLock { $0.compactMap { $0 } }
  }

  private func communicator(_ rank: Int, _ synchronised: Bool) throws -> Communicator {
    try Communicator(
      ProcessGroup(rank: rank, size: size, synchronisesBatchNorm: synchronised) { [self] values, count in
        sum(values, count, rank)
      })
  }

  private func sum(_ values: UnsafeMutablePointer<Float>, _ count: Int, _ rank: Int) -> Int32 {
    monitor.locked {
      let mine = round
      parts[rank] = (values, count)
      if parts.allSatisfy({ $0 != nil }) {
        finishRound()
      } else {
        while round == mine && !hasLost { monitor.wait() }
      }
      if round == mine { return 9 }
      return calls == failing ? 7 : 0
    }
  }

  /// Without one process the others wait in vain: their sums fail.
  private func leave() {
    monitor.locked {
      hasLost = true
      monitor.wakeAll()
    }
  }

  private func finishRound() {
    let parts = parts.compactMap { $0 }
    let agrees = parts.allSatisfy { $0.count == parts[0].count }
    for index in 0..<(agrees ? parts[0].count : 0) {
      let total = parts.reduce(Float(0)) { $0 + $1.values[index] }
      for part in parts { part.values[index] = total }
    }
    calls += 1
    counts.append(agrees ? parts[0].count : -1)
    self.parts = Array(repeating: nil, count: size)
    round += 1
    monitor.wakeAll()
  }
}

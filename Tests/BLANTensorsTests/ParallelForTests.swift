import BLANTensors
import Synchronization
import Testing

@Suite struct ParallelForTests {
  /// 300 threads are more than there are shares of the tasks.
  @Test(arguments: [-1, 1, 2, 5, 300], [0, 1, 2, 7, 1000]) func everyTaskRunsOnce(threads: Int, count: Int) {
    let runs = Mutex([Int](repeating: 0, count: count))
    let workers = Mutex(Set<Int>())
    parallelFor(threads: threads, count: count) { index, worker in
      runs.withLock { $0[index] += 1 }
      _ = workers.withLock { $0.insert(worker) }
    }
    #expect(runs.withLock { $0 } == [Int](repeating: 1, count: count))
    #expect(workers.withLock { $0.allSatisfy { (0..<max(threads, 1)).contains($0) } })
  }

  /// The first task ends when all others have, of which half lay before its own worker.
  @Test func whatASlowWorkerHasLeftIsTakenByAnother() {
    let count = 64
    let ended = Atomic<Int>(0)
    let start = ContinuousClock.now
    parallelFor(threads: 2, count: count) { index, _ in
      while index == 0 && ended.load(ordering: .relaxed) < count - 1 && start.duration(to: .now) < .seconds(20) {}
      ended.add(1, ordering: .relaxed)
    }
    #expect(start.duration(to: .now) < .seconds(20))
    #expect(ended.load(ordering: .relaxed) == count)
  }
}

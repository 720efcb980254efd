import BLANData
import BLANTensors

/// Sums that wait for the other processes, done one after the other on a thread of their own, so that computing goes on
/// meanwhile. The order is that in which they were handed over: the same in every process.
final class SumQueue: @unchecked Sendable {
  private struct Request {
    let values: UnsafeMutablePointer<Float>
    let count: Int
  }

  private let allreduce: ProcessGroup.Allreduce

  // All that follows is touched under the monitor alone.
  private let monitor = Monitor()
  private var requests: [Request] = []
  private var handedOver = 0
  private var done = 0
  private var status: Int32 = 0
  private var isStopping = false

  init(_ allreduce: @escaping ProcessGroup.Allreduce) { self.allreduce = allreduce }

  /// Hands a sum over; its memory belongs to the queue until the sum is waited for.
  ///
  /// - Returns: what to wait for.
  func begin(_ values: UnsafeMutablePointer<Float>, _ count: Int) -> Int {
    monitor.locked {
      requests.append(Request(values: values, count: count))
      handedOver += 1
      monitor.wakeAll()
      return handedOver
    }
  }

  /// Waits for a sum, and so for all before it; for all that were handed over where none is named.
  func wait(for ticket: Int? = nil) {
    monitor.locked {
      let last = ticket ?? handedOver
      while done < last { monitor.wait() }
    }
  }

  /// What the first sum that failed returned; 0 while none has. After a failure nothing is summed any more: the processes
  /// no longer agree on what comes next.
  var failure: Int32 { monitor.locked { status } }

  /// The work of the thread.
  func run() {
    while let request = next() {
      let failed = monitor.locked { status != 0 }
      let result = failed ? 0 : allreduce(request.values, request.count)
      monitor.locked {
        if status == 0 { status = result }
        done += 1
        monitor.wakeAll()
      }
    }
  }

  func stop() {
    monitor.locked {
      isStopping = true
      monitor.wakeAll()
    }
  }

  private func next() -> Request? {
    monitor.locked {
      while requests.isEmpty && !isStopping { monitor.wait() }
      return requests.isEmpty ? nil : requests.removeFirst()
    }
  }
}

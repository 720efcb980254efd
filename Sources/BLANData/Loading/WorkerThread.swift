import BLANTensors
import Glibc

/// A thread of the library's own. It takes no signals: those belong to the program.
package struct WorkerThread: Sendable {
  private let handle: pthread_t

  /// - Throws: `BLANError.outOfMemory` when the system gives no further thread.
  package init(_ run: @escaping @Sendable () -> Void) throws {
    let body = Unmanaged.passRetained(ThreadBody(run))
    var handle = pthread_t()
    var everything = sigset_t()
    var previous = sigset_t()
    // A thread starts with its creator's mask, so no signal slips in between.
    sigfillset(&everything)
    pthread_sigmask(SIG_SETMASK, &everything, &previous)
    let code = pthread_create(
      &handle, nil,
      { argument in
        if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    pthread_sigmask(SIG_SETMASK, &previous, nil)
    guard code == 0 else {
      body.release()
      throw BLANError.outOfMemory("cannot start a thread: \(systemError(code))")
    }
    self.handle = handle
  }

  /// Waits for the thread's end; once for each thread.
  package func join() { pthread_join(handle, nil) }
}

private final class ThreadBody {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

#if BLAN_PTHREADS
  import Glibc

  /// A value behind a POSIX mutex, in the build for ThreadSanitizer: it cannot see how Swift's own mutex synchronises
  /// threads, whose code is not instrumented, and would report every value behind one.
  package final class Mutex<Value>: @unchecked Sendable {
    private var value: Value
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    package init(_ value: sending Value) {
      self.value = value
      pthread_mutex_init(lock, nil)
    }

    deinit {
      pthread_mutex_destroy(lock)
      lock.deallocate()
    }

    package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      return try body(&value)
    }
  }
#else
  import Synchronization

  /// A value that one thread at a time may use.
  package typealias Mutex<Value: ~Copyable> = Synchronization.Mutex<Value>
#endif

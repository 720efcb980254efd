import BLANTensors

/// Execution contexts that no call is using. A call takes one and gives it back, so that there are as many as there
/// were ever calls at once, and none is made anew.
final class ContextPool: Sendable {
  private let idle = Mutex<[ExecutionContext]>([])

  /// Runs `body` with a context for `batch` images: an idle one that is large enough, or a new one.
  func withContext<Result>(
    batch: Int, make: () throws -> ExecutionContext, _ body: (ExecutionContext) throws -> Result
  ) throws -> Result {
    let context = try take(batch: batch) ?? make()
    defer { idle.withLock { $0.append(context) } }
    return try body(context)
  }

  private func take(batch: Int) -> ExecutionContext? {
    idle.withLock { contexts in
      if let index = contexts.lastIndex(where: { $0.capacity >= batch }) { return contexts.remove(at: index) }
      // A larger one is about to be made in place of one that is too small.
      _ = contexts.popLast()
      return nil
    }
  }
}

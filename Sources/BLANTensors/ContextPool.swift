/// Memory of calls that no call is using. A call takes a context and gives it back, so that there are as many as there
/// were ever calls at once, and none is made anew.
package final class ContextPool<Context: AnyObject & Sendable>: Sendable {
  private let idle = Mutex<[Context]>([])

  package init() {}

  /// Runs `body` with a context that fits: an idle one, or a new one.
  package func withContext<Result>(
    where fits: (Context) -> Bool, make: () throws -> Context, body: (Context) throws -> Result
  ) rethrows -> Result {
    let context = try take(where: fits) ?? make()
    defer { idle.withLock { $0.append(context) } }
    return try body(context)
  }

  private func take(where fits: (Context) -> Bool) -> Context? {
    idle.withLock { contexts in
      // By indices: in generic code the array's own search allocates.
      if let index = contexts.indices.last(where: { fits(contexts[$0]) }) { return contexts.remove(at: index) }
      // One that fits is about to be made in place of one that does not.
      _ = contexts.popLast()
      return nil
    }
  }
}

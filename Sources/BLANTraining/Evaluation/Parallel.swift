import CBLANKernels

/// Independent tasks on several threads, through the kernels' one door to OpenMP. Results do not depend on how many.
enum Parallel {
  static func forEach(_ count: Int, threads: Int, _ task: (Int) -> Void) {
    withoutActuallyEscaping(task) { task in
      var box = TaskBox(run: task)
      withUnsafeMutablePointer(to: &box) { box in
        blan_k_parallel_for(
          Int32(clamping: threads), count,
          { context, index, _ in context?.assumingMemoryBound(to: TaskBox.self).pointee.run(index) }, box)
      }
    }
  }

  static func map<Result>(_ count: Int, threads: Int, _ task: (Int) -> Result) -> [Result] {
    Array(unsafeUninitializedCapacity: count) { buffer, initialized in
      nonisolated(unsafe) let buffer = buffer
      forEach(count, threads: threads) { index in buffer.initializeElement(at: index, to: task(index)) }
      initialized = count
    }
  }
}

private struct TaskBox {
  let run: (Int) -> Void
}

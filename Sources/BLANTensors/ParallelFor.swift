import CBLANKernels

/// Runs `count` tasks on at most `threads` threads through the kernels' one door to OpenMP.
///
/// - Parameter task: gets the task's index and the worker's, 0 to `threads` - 1; runs on several threads at once.
package func parallelFor(threads: Int, count: Int, _ task: (_ index: Int, _ worker: Int) -> Void) {
  withoutActuallyEscaping(task) { task in
    var box = TaskBox(run: task)
    withUnsafeMutablePointer(to: &box) { box in
      blan_k_parallel_for(
        Int32(clamping: threads), count,
        { context, index, worker in
          context?.assumingMemoryBound(to: TaskBox.self).pointee.run(index, worker)
        }, box)
    }
  }
}

private struct TaskBox {
  let run: (Int, Int) -> Void
}

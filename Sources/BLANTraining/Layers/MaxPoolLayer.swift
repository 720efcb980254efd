import BLANTensors
import CBLANKernels

/// The encoder's 3x3 max-pool of stride 2 and padding 1.
struct MaxPoolLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  /// Of the source.
  let shape: TensorShape

  var output: MapID? { out }
  var inputs: [MapID] { [source] }
  var keptForBackward: [MapID] { [source, out] }
  var differentiated: [MapID] { [source] }
  var parameters: [ParameterStore.Slot] { [] }
  func workspaceCount(batch: Int, threads: Int32) -> Int { 0 }

  private func poolShape(_ batch: Int) -> blan_k_pool_shape {
    blan_k_pool_shape(batch: batch, channels: shape.channels, height: shape.height, width: shape.width)
  }

  func forward(_ run: LayerRun) {
    var shape = poolShape(run.batch)
    blan_k_max_pool_forward(&shape, run.values(out), run.values(source), run.threads)
  }

  func backward(_ run: LayerRun) {
    // The pool is the only reader of its source, so there is nothing to add to.
    guard let target = run.target(source) else { return }
    var shape = poolShape(run.batch)
    blan_k_max_pool_backward(
      &shape, target.pointer, run.gradient(out), run.values(source), run.values(out), run.threads)
  }
}

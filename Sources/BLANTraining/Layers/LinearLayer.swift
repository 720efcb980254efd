import BLANTensors
import CBLANKernels

/// A fully connected layer on a map flattened in C, H, W order.
struct LinearLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  /// Of the source.
  let shape: TensorShape
  let outputs: Int
  let weight: ParameterStore.Slot
  let bias: ParameterStore.Slot

  var output: MapID? { out }
  var inputs: [MapID] { [source] }
  var keptForBackward: [MapID] { [source] }
  var differentiated: [MapID] { [source] }
  var parameters: [ParameterStore.Slot] { [weight, bias] }

  private func linearShape(_ batch: Int) -> blan_k_linear_shape {
    blan_k_linear_shape(batch: batch, channels: shape.channels, area: shape.area, outputs: outputs)
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var shape = linearShape(batch)
    return blan_k_linear_training_workspace_count(&shape)
  }

  func forward(_ run: LayerRun) {
    var shape = linearShape(run.batch)
    blan_k_linear_training_forward(
      &shape, run.values(out), run.values(source), run.values(weight), run.values(bias), run.workspace, run.threads)
  }

  func backward(_ run: LayerRun) {
    var shape = linearShape(run.batch)
    let target = run.target(source)
    blan_k_linear_backward(
      &shape, target?.pointer, target?.accumulate ?? false, run.gradient(weight), run.gradient(bias), run.accumulate,
      run.gradient(out), run.values(source), run.values(weight), run.workspace, run.threads)
  }
}

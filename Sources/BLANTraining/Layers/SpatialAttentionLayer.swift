import BLANTensors
import CBLANKernels

/// The gate of spatial attention (Eq. 3): σ(conv7x7([mean over channels; max over channels])), padding 3, no bias.
struct SpatialAttentionLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  /// Of the source.
  let shape: TensorShape
  let weight: ParameterStore.Slot

  var output: MapID? { out }
  var inputs: [MapID] { [source] }
  var keptForBackward: [MapID] { [source, out] }
  var differentiated: [MapID] { [source] }
  var writtenAnyway: [MapID] { [source] }
  var parameters: [ParameterStore.Slot] { [weight] }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var map = blan_k_map(data: nil, batch: batch, shape: shape)
    return max(blan_k_spatial_gate_workspace_count(&map), blan_k_spatial_gate_backward_workspace_count(&map))
  }

  func forward(_ run: LayerRun) {
    var map = blan_k_map(data: run.values(source), batch: run.batch, shape: shape)
    blan_k_spatial_gate(&map, nil, run.values(weight), run.values(out), run.workspace, run.threads)
  }

  func backward(_ run: LayerRun) {
    var map = blan_k_map(data: run.values(source), batch: run.batch, shape: shape)
    blan_k_spatial_gate_backward(
      &map, run.values(weight), run.values(out), run.gradient(out), run.addTarget(source, shape),
      run.gradient(weight), run.accumulate, run.workspace, run.threads)
  }
}

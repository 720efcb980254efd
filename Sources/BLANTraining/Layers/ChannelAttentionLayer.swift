import BLANNetwork
import BLANTensors
import CBLANKernels

/// The gate of channel attention (Eq. 2): σ(MLP(avgpool f) + MLP(maxpool f)), one shared MLP.
struct ChannelAttentionLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  /// Of the source.
  let shape: TensorShape
  let hidden: Int
  let fc1Weight: ParameterStore.Slot
  let fc1Bias: ParameterStore.Slot
  let fc2Weight: ParameterStore.Slot
  let fc2Bias: ParameterStore.Slot

  var output: MapID? { out }
  var inputs: [MapID] { [source] }
  var keptForBackward: [MapID] { [source, out] }
  var differentiated: [MapID] { [source] }
  var writtenAnyway: [MapID] { [source] }
  var parameters: [ParameterStore.Slot] { [fc1Weight, fc1Bias, fc2Weight, fc2Bias] }

  private func perceptron(_ run: LayerRun) -> blan_k_channel_mlp {
    blan_k_channel_mlp(
      fc1_weight: run.values(fc1Weight), fc1_bias: run.values(fc1Bias), fc2_weight: run.values(fc2Weight),
      fc2_bias: run.values(fc2Bias), hidden: hidden)
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var map = blan_k_map(data: nil, batch: batch, shape: shape)
    var mlp = blan_k_channel_mlp(fc1_weight: nil, fc1_bias: nil, fc2_weight: nil, fc2_bias: nil, hidden: hidden)
    return max(
      blan_k_channel_gate_workspace_count(&map, &mlp), blan_k_channel_gate_backward_workspace_count(&map, &mlp))
  }

  func forward(_ run: LayerRun) {
    var map = blan_k_map(data: run.values(source), batch: run.batch, shape: shape)
    var mlp = perceptron(run)
    blan_k_channel_gate(&map, nil, &mlp, run.values(out), run.workspace, run.threads)
  }

  func backward(_ run: LayerRun) {
    var map = blan_k_map(data: run.values(source), batch: run.batch, shape: shape)
    var mlp = perceptron(run)
    var gradient = blan_k_channel_mlp_gradient(
      fc1_weight: run.gradient(fc1Weight), fc1_bias: run.gradient(fc1Bias), fc2_weight: run.gradient(fc2Weight),
      fc2_bias: run.gradient(fc2Bias), accumulate: run.accumulate)
    blan_k_channel_gate_backward(
      &map, &mlp, run.values(out), run.gradient(out), run.addTarget(source, shape), &gradient,
      run.workspace, run.threads)
  }
}

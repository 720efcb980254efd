import CBLANKernels

/// The encoder's 7x7 convolution of stride 2, from pixels. Pixels have no gradient.
struct StemConvolutionLayer: TrainingLayer {
  let out: MapID
  let weight: ParameterStore.Slot
  let inputSize: Int
  let outputChannels: Int

  var output: MapID? { out }
  var inputs: [MapID] { [] }
  var keptForBackward: [MapID] { [] }
  var differentiated: [MapID] { [] }
  var parameters: [ParameterStore.Slot] { [weight] }

  private func shape(_ batch: Int) -> blan_k_stem_shape {
    blan_k_stem_shape(batch: batch, height: inputSize, width: inputSize, out_channels: outputChannels)
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var shape = shape(batch)
    return max(
      blan_k_stem_packed_count(&shape) + blan_k_stem_workspace_count(&shape),
      blan_k_stem_backward_weights_workspace_count(&shape))
  }

  func forward(_ run: LayerRun) {
    var shape = shape(run.batch)
    let packed = run.workspace
    blan_k_stem_pack(&shape, run.values(weight), nil, packed)
    blan_k_stem_forward(
      &shape, run.values(out), run.pixels, packed, nil, packed + blan_k_stem_packed_count(&shape), run.threads)
  }

  func backward(_ run: LayerRun) {
    guard run.isTrained(weight) else { return }
    var shape = shape(run.batch)
    blan_k_stem_backward_weights(
      &shape, run.gradient(weight), run.accumulate, run.pixels, run.gradient(out), run.workspace, run.threads)
  }
}

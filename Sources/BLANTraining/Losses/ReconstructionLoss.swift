import BLANTensors
import CBLANKernels

/// l_REC, weighted by β: the mean squared error between the input and what the reconstruction head makes of F_dec_1.
struct ReconstructionLoss: TrainingLayer {
  /// The map below all enlargements.
  let source: EnlargedMap
  let weight: ParameterStore.Slot
  let bias: ParameterStore.Slot

  var output: MapID? { nil }
  var inputs: [MapID] { [] }
  var keptForBackward: [MapID] { [source.map] }
  var differentiated: [MapID] { [source.map] }
  var parameters: [ParameterStore.Slot] { [weight, bias] }

  private func shape(_ batch: Int) -> blan_k_reconstruction_shape {
    blan_k_reconstruction_shape(
      batch: batch, channels: source.shape.channels, height: source.shape.height, width: source.shape.width,
      factor: source.factor)
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var shape = shape(batch)
    return blan_k_reconstruction_workspace_count(&shape, threads)
  }

  func forward(_ run: LayerRun) {}

  func backward(_ run: LayerRun) {
    var shape = shape(run.batch)
    let target = run.target(source.map)
    let share = Float(run.batch) / Float(run.wholeBatch)
    let loss = blan_k_reconstruction(
      &shape, run.values(source.map), run.pixels, run.values(weight), run.values(bias), share * run.weights.beta,
      target?.pointer, target?.accumulate ?? false, run.gradient(weight), run.gradient(bias), run.accumulate, nil,
      run.workspace, run.threads)
    run.losses.losses.reconstruction = Double(run.batch) / Double(run.wholeBatch) * loss
  }
}

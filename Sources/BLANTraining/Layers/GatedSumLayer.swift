import BLANTensors
import CBLANKernels

/// A map times its gates, plus the residual connection that ends RDAM.
struct GatedSumLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  let shape: TensorShape
  let channelGate: MapID?
  let spatialGate: MapID?
  let residual: MapID?

  private var gates: [MapID] { [channelGate, spatialGate].compactMap { $0 } }

  var output: MapID? { out }
  var inputs: [MapID] { [source] + gates + (residual.map { [$0] } ?? []) }
  var keptForBackward: [MapID] { [source] + gates }
  var differentiated: [MapID] { inputs }
  var writtenAnyway: [MapID] { [source] + gates }
  var parameters: [ParameterStore.Slot] { [] }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var map = blan_k_map(data: nil, batch: batch, shape: shape)
    return blan_k_multiply_backward_workspace_count(&map)
  }

  func forward(_ run: LayerRun) {
    var map = blan_k_map(data: run.values(source), batch: run.batch, shape: shape)
    blan_k_attend(
      &map, channelGate.map { run.values($0) }, spatialGate.map { run.values($0) }, residual.map { run.values($0) },
      run.values(out), run.threads)
  }

  func backward(_ run: LayerRun) {
    let dOut = run.gradient(out)
    if let residual, let target = run.target(residual) {
      let count = run.batch * shape.blockedCount
      if target.accumulate {
        blan_k_accumulate(count, target.pointer, dOut, run.threads)
      } else {
        target.pointer.update(from: dOut, count: count)
      }
    }
    let target = run.place(source)
    var map = blan_k_map(data: run.values(source), batch: run.batch, shape: shape)
    blan_k_multiply_backward(
      &map, channelGate.map { run.values($0) }, spatialGate.map { run.values($0) }, dOut, target.pointer,
      target.accumulate, channelGate.map { run.place($0).pointer }, spatialGate.map { run.place($0).pointer },
      run.workspace, run.threads)
  }
}

import BLANTensors
import CBLANKernels

/// Dropout of T_i. The elements that are kept follow from the step's seed, the level and the image's place in the whole
/// batch alone.
struct DropoutLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  let shape: TensorShape
  /// Tells the layers of one step apart.
  let level: Int

  var output: MapID? { out }
  var inputs: [MapID] { [source] }
  var keptForBackward: [MapID] { [] }
  var differentiated: [MapID] { [source] }
  var parameters: [ParameterStore.Slot] { [] }

  func workspaceCount(batch: Int, threads: Int32) -> Int { batch * shape.blockedCount }

  private func seed(_ run: LayerRun) -> UInt64 {
    var stream = RandomStream(seed: run.dropoutSeed, key: "level/\(level)")
    return stream.next()
  }

  /// Elements of the images before this process's.
  private func first(_ run: LayerRun) -> Int { (run.shared?.firstImage ?? 0) * shape.blockedCount }

  func forward(_ run: LayerRun) {
    blan_k_dropout(
      first(run), run.batch * shape.blockedCount, run.values(out), run.values(source), seed(run), run.dropout,
      run.threads)
  }

  func backward(_ run: LayerRun) {
    guard let target = run.target(source) else { return }
    let count = run.batch * shape.blockedCount
    guard target.accumulate else {
      return blan_k_dropout(
        first(run), count, target.pointer, run.gradient(out), seed(run), run.dropout, run.threads)
    }
    blan_k_dropout(first(run), count, run.workspace, run.gradient(out), seed(run), run.dropout, run.threads)
    blan_k_accumulate(count, target.pointer, run.workspace, run.threads)
  }
}

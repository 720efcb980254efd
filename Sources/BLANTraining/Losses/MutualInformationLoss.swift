import BLANNetwork
import BLANTensors
import CBLANKernels

/// l_LMIM of one level, weighted by α: the concat-and-convolve discriminator of Deep InfoMax tells (F_n, T_n) from
/// (F_(n-1), T_n).
///
/// Where the batch lies in several processes, n runs through all of them: the last image here is paired with the T of the
/// next process's first, whose gradient goes back there.
struct MutualInformationLoss: TrainingLayer {
  let level: Int
  let features: [EnlargedMap]
  let embedding: MapID
  let head: MutualInformation
  /// Weight and bias of the three 1x1 convolutions.
  let layers: [(weight: ParameterStore.Slot, bias: ParameterStore.Slot)]

  var output: MapID? { nil }
  var inputs: [MapID] { [] }
  var keptForBackward: [MapID] { features.map(\.map) + [embedding] }
  var differentiated: [MapID] { keptForBackward }
  var writtenAnyway: [MapID] { [embedding] }
  var parameters: [ParameterStore.Slot] { layers.flatMap { [$0.weight, $0.bias] } }

  private func shape(_ batch: Int, borrows: Bool) -> blan_k_lmim_shape {
    blan_k_lmim_shape(
      batch: batch, borrows: borrows,
      feature_channels: (head.featureChannels[0], features.count > 1 ? head.featureChannels[1] : 0),
      feature_upsample: (features[0].factor, features.count > 1 ? features[1].factor : 1),
      height: features[0].shape.height * features[0].factor, width: features[0].shape.width * features[0].factor,
      embedding: head.embedding, hidden: head.hidden)
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var shape = shape(batch, borrows: true)
    return 2 * (batch + 1) * row + blan_k_lmim_workspace_count(&shape, threads)
  }

  func forward(_ run: LayerRun) {}

  func backward(_ run: LayerRun) {
    if let shared = run.shared { return backward(run, shared) }
    let dEmbedding = run.addTarget(embedding, .vector(head.embedding))
    run.losses.losses.mutualInformation[level] = evaluate(
      run, borrows: false, run.values(embedding), dEmbedding, run.workspace)
  }

  /// Floats of an image's embedding.
  private var row: Int { ChannelBlock.padded(head.embedding) }
  /// Floats that the layer exchanges at once.
  var exchangedCount: Int { row }

  private func backward(_ run: LayerRun, _ shared: SharedStep) {
    let own = run.batch * row
    let embeddings = run.workspace
    let dEmbeddings = embeddings + own + row
    let firsts = shared.communicator.gather(count: row) { place in
      if run.batch > 0 { place.update(from: run.values(embedding), count: row) }
    }
    if run.batch > 0 {
      embeddings.update(from: run.values(embedding), count: own)
      (embeddings + own).update(from: firsts + shared.neighbour(step: 1) * row, count: row)
      dEmbeddings.update(repeating: 0, count: own + row)
      run.losses.losses.mutualInformation[level] = evaluate(
        run, borrows: true, embeddings, dEmbeddings, dEmbeddings + own + row)
    }
    let borrowed = shared.communicator.gather(count: row) { place in
      if run.batch > 0 { place.update(from: dEmbeddings + own, count: row) }
    }
    guard run.batch > 0 else { return }
    let lent = borrowed + shared.neighbour(step: -1) * row
    for index in 0..<row { dEmbeddings[index] += lent[index] }
    let target = run.addTarget(embedding, .vector(head.embedding))
    blan_k_accumulate(own, target, dEmbeddings, run.threads)
  }

  /// The loss's share of the whole batch's; adds to the embeddings' gradients.
  private func evaluate(
    _ run: LayerRun, borrows: Bool, _ embeddings: UnsafePointer<Float>, _ dEmbeddings: UnsafeMutablePointer<Float>,
    _ workspace: UnsafeMutablePointer<Float>
  ) -> Double {
    var shape = shape(run.batch, borrows: borrows)
    var weights = tensors { run.values($0) }
    var dWeights = tensors { run.gradient($0) }
    let targets = features.map { run.target($0.map) }
    let values: [UnsafePointer<Float>?] = features.map { UnsafePointer(run.values($0.map)) } + [nil]
    let gradients: [UnsafeMutablePointer<Float>?] = targets.map { $0?.pointer } + [nil]
    let accumulates = targets.map { $0?.accumulate ?? false } + [false]
    let share = Float(run.batch) / Float(run.wholeBatch)
    let loss = blan_k_lmim(
      &shape, &weights, values, embeddings, share * run.weights.alpha, &dWeights, run.accumulate, gradients,
      accumulates, dEmbeddings, workspace, run.threads)
    return Double(run.batch) / Double(run.wholeBatch) * loss
  }

  private func tensors(_ pointer: (ParameterStore.Slot) -> UnsafeMutablePointer<Float>) -> blan_k_lmim_weights {
    blan_k_lmim_weights(
      conv1_weight: pointer(layers[0].weight), conv1_bias: pointer(layers[0].bias),
      conv2_weight: pointer(layers[1].weight), conv2_bias: pointer(layers[1].bias),
      conv3_weight: pointer(layers[2].weight), conv3_bias: pointer(layers[2].bias))
  }
}

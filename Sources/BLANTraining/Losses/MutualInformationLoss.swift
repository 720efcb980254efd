import BLANNetwork
import BLANTensors
import CBLANKernels

/// l_LMIM of one level, weighted by α: the concat-and-convolve discriminator of Deep InfoMax tells (F_n, T_n) from
/// (F_(n-1), T_n).
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
  var parameters: [ParameterStore.Slot] { layers.flatMap { [$0.weight, $0.bias] } }

  private func shape(_ batch: Int) -> blan_k_lmim_shape {
    blan_k_lmim_shape(
      batch: batch, feature_channels: (head.featureChannels[0], features.count > 1 ? head.featureChannels[1] : 0),
      feature_upsample: (features[0].factor, features.count > 1 ? features[1].factor : 1),
      height: features[0].shape.height * features[0].factor, width: features[0].shape.width * features[0].factor,
      embedding: head.embedding, hidden: head.hidden)
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    // A batch of one has no fake pair and is refused before it comes here.
    var shape = shape(max(batch, 2))
    return blan_k_lmim_workspace_count(&shape, threads)
  }

  func forward(_ run: LayerRun) {}

  func backward(_ run: LayerRun) {
    var shape = shape(run.batch)
    var weights = tensors { run.values($0) }
    var dWeights = tensors { run.gradient($0) }
    let targets = features.map { run.target($0.map, of: self) }
    let values: [UnsafePointer<Float>?] = features.map { UnsafePointer(run.values($0.map)) } + [nil]
    let gradients: [UnsafeMutablePointer<Float>?] = targets.map { $0?.pointer } + [nil]
    let accumulates = targets.map { $0?.accumulate ?? false } + [false]
    let dEmbedding = run.addTarget(embedding, .vector(head.embedding), of: self)
    run.losses.losses.mutualInformation[level] = blan_k_lmim(
      &shape, &weights, values, run.values(embedding), run.weights.alpha, &dWeights, run.accumulate, gradients,
      accumulates, dEmbedding, run.workspace, run.threads)
  }

  private func tensors(_ pointer: (ParameterStore.Slot) -> UnsafeMutablePointer<Float>) -> blan_k_lmim_weights {
    blan_k_lmim_weights(
      conv1_weight: pointer(layers[0].weight), conv1_bias: pointer(layers[0].bias),
      conv2_weight: pointer(layers[1].weight), conv2_bias: pointer(layers[1].bias),
      conv3_weight: pointer(layers[2].weight), conv3_bias: pointer(layers[2].bias))
  }
}

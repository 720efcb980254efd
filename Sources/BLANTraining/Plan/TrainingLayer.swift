import BLANTensors

/// A feature map of the training plan: its values, and the gradient of the loss with respect to them.
struct MapID: Hashable {
  let index: Int
}

/// A map as a layer reads it: enlarged by a nearest-neighbour factor that never exists in memory.
struct EnlargedMap: Hashable {
  let map: MapID
  /// Shape in memory.
  let shape: TensorShape
  /// 1, or the factor of enlargement.
  let factor: Int
}

/// One layer with its forward and its backward pass.
///
/// A layer is a value that names maps and tensors; the memory of a step is ``LayerRun``'s.
protocol TrainingLayer {
  /// The map that forward writes; nil for the layers that end in a loss.
  var output: MapID? { get }
  /// Maps whose values forward reads.
  var inputs: [MapID] { get }
  /// Maps whose values backward reads.
  var keptForBackward: [MapID] { get }
  /// Maps whose gradients backward writes or adds to, each once.
  var differentiated: [MapID] { get }
  /// Of these, the maps whose gradients backward writes even where nobody wants them, so that they need a place.
  var writtenAnyway: [MapID] { get }
  /// The tensors that it trains.
  var parameters: [ParameterStore.Slot] { get }
  /// Floats that its passes need beside maps and tensors.
  func workspaceCount(batch: Int, threads: Int32) -> Int

  func forward(_ run: LayerRun)
  /// Turns the gradient of `output` into those of `differentiated` and of its tensors. Layers that end in a loss do all
  /// their work here.
  func backward(_ run: LayerRun)
}

extension TrainingLayer {
  var writtenAnyway: [MapID] { [] }
}

/// Where a layer's backward pass puts the gradient of a map.
struct GradientTarget {
  let pointer: UnsafeMutablePointer<Float>
  /// Whether another layer has put its share there.
  let accumulate: Bool
}

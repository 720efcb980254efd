import BLANTensors

/// What the layers of one step work with.
struct LayerRun {
  let plan: TrainingPlan
  let store: ParameterStore
  let memory: TrainingMemory
  let batch: Int
  let threads: Int32
  /// batch x 3 x S x S normalised floats.
  let pixels: UnsafePointer<Float>
  /// batch x N: 1 present, -1 absent, 0 unknown.
  let labels: UnsafePointer<Int8>
  let weights: LossWeights
  let dropout: Float
  /// Of this step's dropout.
  let dropoutSeed: UInt64
  /// Whether batch norm normalises with the running statistics.
  let frozenStatistics: Bool
  /// Whether gradients of tensors are added to those of earlier batches.
  let accumulate: Bool
  /// Where losses are noted.
  let losses: LossRecord
  /// What an explanation differentiates; nil in training.
  var explained: ScoreWeights?
  /// The processes among which the batch is divided; nil where all of it is here.
  var shared: SharedStep?

  /// Images of all processes: what means are over.
  var wholeBatch: Int { shared?.wholeBatch ?? batch }

  var workspace: UnsafeMutablePointer<Float> { memory.workspace.pointer }

  func values(_ map: MapID) -> UnsafeMutablePointer<Float> {
    memory.arena.pointer + plan.valueOffset(map) * batch
  }

  /// The gradient of a map that a layer's backward pass reads.
  func gradient(_ map: MapID) -> UnsafeMutablePointer<Float> {
    memory.arena.pointer + plan.gradientOffset(map) * batch
  }

  /// Where the layer at hand puts the gradient of a map; nil where nobody wants it.
  func target(_ map: MapID) -> GradientTarget? {
    plan.wantsGradient(map) ? place(map) : nil
  }

  /// The same of a map that the layer writes anyway.
  func place(_ map: MapID) -> GradientTarget {
    GradientTarget(pointer: gradient(map), accumulate: !memory.written.insert(map))
  }

  /// Where a layer that can only add puts the gradient of a map that it writes anyway: cleared if nobody wrote there before.
  func addTarget(_ map: MapID, _ shape: TensorShape) -> UnsafeMutablePointer<Float> {
    let place = place(map)
    if !place.accumulate { place.pointer.update(repeating: 0, count: batch * shape.blockedCount) }
    return place.pointer
  }

  func values(_ slot: ParameterStore.Slot) -> UnsafeMutablePointer<Float> { store.values.pointer + slot.offset }

  /// Where the gradient of a tensor goes: of one that is not trained, to a place that nobody reads.
  func gradient(_ slot: ParameterStore.Slot) -> UnsafeMutablePointer<Float> {
    if let offset = plan.discardOffset(slot) { return memory.discarded.pointer + offset }
    return store.gradients.pointer + slot.offset
  }

  /// Whether a tensor is trained, so that its gradient is worth computing.
  func isTrained(_ slot: ParameterStore.Slot) -> Bool { plan.isTrained(slot) }
}

/// The memory of one step of training. It belongs to one step at a time.
final class TrainingMemory: @unchecked Sendable {
  /// Images that fit.
  let capacity: Int
  let arena: AlignedBuffer<Float>
  let workspace: AlignedBuffer<Float>
  /// Mean, variance and inverse standard deviation of every batch norm.
  let statistics: AlignedBuffer<Float>
  /// Gradients of tensors that are not trained, which some kernels compute along with others.
  let discarded: AlignedBuffer<Float>
  /// Maps whose gradients have been written in this step.
  let written = WrittenMaps()

  init(_ plan: TrainingPlan, capacity: Int, threads: Int32) throws {
    self.capacity = capacity
    arena = try AlignedBuffer(
      count: plan.arena.size * capacity, purpose: "the maps and gradients of \(capacity) images")
    var floats = 0
    // A smaller batch may be cut up in another way, which needs its own amount.
    for batch in 1...capacity {
      for layer in plan.layers { floats = max(floats, layer.workspaceCount(batch: batch, threads: threads)) }
    }
    workspace = try AlignedBuffer(count: floats, purpose: "the workspace of training")
    statistics = try AlignedBuffer(count: plan.statisticsCount, purpose: "batch statistics")
    discarded = try AlignedBuffer(count: plan.discardedCount, purpose: "gradients that nobody reads")
  }
}

/// A set of maps, shared by the layers of a step.
final class WrittenMaps {
  private var maps: Set<MapID> = []

  func removeAll() { maps.removeAll(keepingCapacity: true) }

  /// True when the map was not in the set before.
  func insert(_ map: MapID) -> Bool { maps.insert(map).inserted }
}

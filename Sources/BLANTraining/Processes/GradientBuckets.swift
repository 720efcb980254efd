import BLANTensors

/// The gradients that are summed over processes, in buckets that are complete one after the other during the backward
/// pass: while one is under way, the layers before it are still at work.
struct GradientBuckets {
  /// Floats from which a bucket is sent: few enough that the first leaves early, enough that the network is kept busy.
  static let size = 1 << 20

  /// For each place of the plan's backward order the parts of the store that are complete behind it and go out.
  let parts: [[Range<Int>]]

  init(_ plan: TrainingPlan, _ store: ParameterStore) {
    var parts: [[Range<Int>]] = []
    var open: Set<ParameterStore.Slot> = []
    var floats = 0
    for (place, index) in plan.backwardOrder.enumerated() {
      for slot in plan.layers[index].parameters where plan.isTrained(slot) {
        open.insert(slot)
        floats += slot.count
      }
      guard floats >= Self.size || place == plan.backwardOrder.count - 1 else {
        parts.append([])
        continue
      }
      parts.append(Self.runs(open, plan, store))
      open = []
      floats = 0
    }
    self.parts = parts
  }

  /// Runs of the store that cover the slots. Tensors without a gradient between two of them, whose place in the store
  /// holds zeros, go along: fewer and longer sums.
  private static func runs(
    _ slots: Set<ParameterStore.Slot>, _ plan: TrainingPlan, _ store: ParameterStore
  ) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    var isOpen = false
    for slot in store.slots {
      if slots.contains(slot) {
        let end = slot.offset + slot.count
        if isOpen, let last = runs.popLast() {
          runs.append(last.lowerBound..<end)
        } else {
          runs.append(slot.offset..<end)
        }
        isOpen = true
      } else if plan.isTrained(slot) {
        isOpen = false
      }
    }
    return runs
  }
}

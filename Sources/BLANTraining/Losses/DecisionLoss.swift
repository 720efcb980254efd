import BLANNetwork
import BLANTensors

/// The classifiers' losses and that of score fusion: l_CLS_i on s_i, and γ l_SF on z[j, c] = Σ_k W[k, j] s_k[j, c]
/// (Eq. 6), k = 1..5 with s_5 = s_1 + .. + s_4. Each is a mean over the batch of sums over attributes.
struct DecisionLoss: TrainingLayer {
  /// s_1..s_4: batch x (2N rounded up to 16).
  let scores: [MapID]
  let attributes: Int
  /// W, [5][N]; nil where the variant fuses no scores.
  let fusion: ParameterStore.Slot?

  var output: MapID? { nil }
  var inputs: [MapID] { [] }
  var keptForBackward: [MapID] { scores }
  var differentiated: [MapID] { scores }
  var writtenAnyway: [MapID] { scores }
  var parameters: [ParameterStore.Slot] { fusion.map { [$0] } ?? [] }
  func workspaceCount(batch: Int, threads: Int32) -> Int { 0 }
  func forward(_ run: LayerRun) {}

  func backward(_ run: LayerRun) {
    let entropy = CrossEntropy(
      labelSmoothing: run.weights.labelSmoothing, positiveWeights: run.weights.positiveWeights)
    let stride = ChannelBlock.padded(2 * attributes)
    let share = 1 / Float(run.wholeBatch)
    let values = scores.map { UnsafePointer(run.values($0)) }
    let gradients = scores.map { score -> UnsafeMutablePointer<Float> in
      // Nothing else reads the scores.
      let gradient = run.place(score).pointer
      gradient.update(repeating: 0, count: run.batch * stride)
      return gradient
    }
    for level in 0..<Network.levelCount {
      var sum = 0.0
      for image in 0..<run.batch {
        for attribute in 0..<attributes {
          let place = image * stride + 2 * attribute
          let (loss, gradient) = entropy.evaluate(
            absent: values[level][place], present: values[level][place + 1],
            label: run.labels[image * attributes + attribute], attribute: attribute)
          sum += loss
          gradients[level][place] -= share * gradient
          gradients[level][place + 1] += share * gradient
        }
      }
      run.losses.losses.classification[level] = sum * Double(share)
    }
    if let fusion { fuse(run, entropy, fusion, values, gradients, stride: stride) }
  }

  private func fuse(
    _ run: LayerRun, _ entropy: CrossEntropy, _ fusion: ParameterStore.Slot, _ values: [UnsafePointer<Float>],
    _ gradients: [UnsafeMutablePointer<Float>], stride: Int
  ) {
    let weights = run.values(fusion)
    let dWeights = run.gradient(fusion)
    if !run.accumulate { dWeights.update(repeating: 0, count: fusion.count) }
    let scale = run.weights.gamma / Float(run.wholeBatch)
    let last = Network.levelCount
    var sum = 0.0
    for image in 0..<run.batch {
      for attribute in 0..<attributes {
        let place = image * stride + 2 * attribute
        var fused: (absent: Float, present: Float) = (0, 0)
        var total: (absent: Float, present: Float) = (0, 0)
        for level in 0..<last {
          let weight = weights[level * attributes + attribute]
          fused.absent += weight * values[level][place]
          fused.present += weight * values[level][place + 1]
          total.absent += values[level][place]
          total.present += values[level][place + 1]
        }
        let weightOfSum = weights[last * attributes + attribute]
        fused.absent += weightOfSum * total.absent
        fused.present += weightOfSum * total.present
        let (loss, gradient) = entropy.evaluate(
          absent: fused.absent, present: fused.present, label: run.labels[image * attributes + attribute],
          attribute: attribute)
        sum += loss
        for level in 0..<last {
          let share = scale * gradient * (weights[level * attributes + attribute] + weightOfSum)
          gradients[level][place] -= share
          gradients[level][place + 1] += share
          dWeights[level * attributes + attribute] +=
            scale * gradient * (values[level][place + 1] - values[level][place])
        }
        dWeights[last * attributes + attribute] += scale * gradient * (total.present - total.absent)
      }
    }
    run.losses.losses.fusion = sum / Double(run.wholeBatch)
  }
}

import BLANNetwork
import BLANTensors
import CBLANKernels

/// Batch normalisation with the sum of a residual block and the ReLU that may follow it.
///
/// In training it normalises with the batch's mean and biased variance, and keeps running statistics with momentum 0.1
/// and the unbiased variance, as PyTorch does; with frozen statistics it normalises with the running ones.
struct BatchNormLayer: TrainingLayer {
  let out: MapID
  let source: MapID
  let shape: TensorShape
  let residual: MapID?
  let relu: Bool
  let weight: ParameterStore.Slot
  let bias: ParameterStore.Slot
  let runningMean: ParameterStore.Slot
  let runningVariance: ParameterStore.Slot
  /// Whether the layer belongs to a part that stays as it is.
  let isFrozen: Bool
  /// Where its mean, variance and inverse standard deviation lie among the step's statistics.
  let statisticsOffset: Int

  var output: MapID? { out }
  var inputs: [MapID] { [source] + (residual.map { [$0] } ?? []) }
  var keptForBackward: [MapID] { relu ? [source, out] : [source] }
  var differentiated: [MapID] { [source] + (residual.map { [$0] } ?? []) }
  var parameters: [ParameterStore.Slot] { [weight, bias] }

  /// Floats of statistics that a layer of so many channels needs.
  static func statisticsCount(channels: Int) -> Int { 3 * ChannelBlock.padded(channels) }

  private struct Statistics {
    let mean: UnsafeMutablePointer<Float>
    let variance: UnsafeMutablePointer<Float>
    let inverseDeviation: UnsafeMutablePointer<Float>
  }

  private func statistics(_ memory: TrainingMemory) -> Statistics {
    let start = memory.statistics.pointer + statisticsOffset
    let padded = ChannelBlock.padded(shape.channels)
    return Statistics(mean: start, variance: start + padded, inverseDeviation: start + 2 * padded)
  }

  private func normShape(_ batch: Int) -> blan_k_norm_shape {
    blan_k_norm_shape(batch: batch, channels: shape.channels, area: shape.area)
  }

  private func usesRunningStatistics(_ run: LayerRun) -> Bool { isFrozen || run.frozenStatistics }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var shape = normShape(batch)
    return blan_k_batch_norm_workspace_count(&shape)
  }

  func forward(_ run: LayerRun) {
    var norm = normShape(run.batch)
    let statistics = statistics(run.memory)
    if usesRunningStatistics(run) {
      statistics.mean.update(from: run.values(runningMean), count: shape.channels)
      statistics.variance.update(from: run.values(runningVariance), count: shape.channels)
    } else {
      blan_k_batch_norm_statistics(
        &norm, run.values(source), statistics.mean, statistics.variance, run.workspace, run.threads)
    }
    for channel in 0..<shape.channels {
      statistics.inverseDeviation[channel] = 1 / (statistics.variance[channel] + BatchNorm.epsilon).squareRoot()
    }
    blan_k_batch_norm_forward(
      &norm, run.values(out), run.values(source), statistics.mean, statistics.inverseDeviation, run.values(weight),
      run.values(bias), residual.map { run.values($0) }, relu, run.threads)
  }

  func backward(_ run: LayerRun) {
    var norm = normShape(run.batch)
    let statistics = statistics(run.memory)
    let residualTarget = residual.flatMap { run.target($0, of: self) }
    // The plan gives the source's gradient the place of the output's: what lies before may not want it.
    _ = run.target(source, of: self)
    var gradient = blan_k_batch_norm_gradient(
      d_out: run.gradient(out), out: run.values(out), x: run.values(source), mean: statistics.mean,
      inverse_std: statistics.inverseDeviation, weight: run.values(weight), d_x: run.gradient(source),
      d_residual: residualTarget?.pointer, d_weight: run.gradient(weight), d_bias: run.gradient(bias), relu: relu,
      frozen: usesRunningStatistics(run), accumulate_residual: residualTarget?.accumulate ?? false,
      accumulate_parameters: run.accumulate)
    blan_k_batch_norm_backward(&norm, &gradient, run.workspace, run.threads)
  }

  /// Takes the batch's statistics into the running ones, unless they are frozen.
  func updateRunningStatistics(_ run: LayerRun) {
    guard !usesRunningStatistics(run) else { return }
    let statistics = statistics(run.memory)
    let count = Float(run.batch * shape.area)
    let unbiased = count / max(count - 1, 1)
    let mean = run.values(runningMean)
    let variance = run.values(runningVariance)
    for channel in 0..<shape.channels {
      mean[channel] += BatchNorm.momentum * (statistics.mean[channel] - mean[channel])
      variance[channel] += BatchNorm.momentum * (statistics.variance[channel] * unbiased - variance[channel])
    }
  }
}

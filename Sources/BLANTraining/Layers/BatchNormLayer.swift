import BLANNetwork
import BLANTensors
import CBLANKernels

/// Batch normalisation with the sum of a residual block and the ReLU that may follow it.
///
/// In training it normalises with the batch's mean and biased variance, and keeps running statistics with momentum 0.1
/// and the unbiased variance, as PyTorch does; with frozen statistics it normalises with the running ones.
///
/// Where the batch lies in several processes, its statistics are those of all images together, or, unless they are
/// synchronised, of each process's own; the running ones always follow all images.
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
  /// Running statistics that stay as they are, though the layer itself does not.
  let keptStatistics: Set<ParameterStore.Slot>
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
      if run.batch > 0 {
        blan_k_batch_norm_statistics(
          &norm, run.values(source), statistics.mean, statistics.variance, run.workspace, run.threads)
      }
      if let shared = run.shared, synchronises(run) { share(statistics, shared) }
    }
    guard run.batch > 0 else { return }
    for channel in 0..<shape.channels {
      statistics.inverseDeviation[channel] = 1 / (statistics.variance[channel] + BatchNorm.epsilon).squareRoot()
    }
    blan_k_batch_norm_forward(
      &norm, run.values(out), run.values(source), statistics.mean, statistics.inverseDeviation, run.values(weight),
      run.values(bias), residual.map { run.values($0) }, relu, run.threads)
  }

  func backward(_ run: LayerRun) {
    let sharing = synchronises(run) ? run.shared : nil
    guard run.batch > 0 else {
      if let sharing { _ = sharing.communicator.sum(count: exchangedCount) { _ in } }
      return
    }
    var norm = normShape(run.batch)
    let statistics = statistics(run.memory)
    let residualTarget = residual.flatMap { run.target($0) }
    // The plan gives the source's gradient the place of the output's: what lies before may not want it.
    _ = run.target(source)
    var gradient = blan_k_batch_norm_gradient(
      d_out: run.gradient(out), out: run.values(out), x: run.values(source), mean: statistics.mean,
      inverse_std: statistics.inverseDeviation, weight: run.values(weight), d_x: run.gradient(source),
      d_residual: residualTarget?.pointer, d_weight: run.gradient(weight), d_bias: run.gradient(bias), relu: relu,
      frozen: usesRunningStatistics(run), accumulate_residual: residualTarget?.accumulate ?? false,
      accumulate_parameters: run.accumulate)
    guard let sharing else { return blan_k_batch_norm_backward(&norm, &gradient, run.workspace, run.threads) }
    let totals = sharing.communicator.sum(count: exchangedCount) { sums in
      blan_k_batch_norm_backward_sums(&norm, &gradient, sums, run.workspace, run.threads)
    }
    blan_k_batch_norm_backward_totals(
      &norm, &gradient, totals, Double(sharing.wholeBatch * shape.area), run.workspace, run.threads)
  }

  // MARK: - Several processes

  /// Floats that the layer exchanges at once.
  var exchangedCount: Int { 2 * ChannelBlock.padded(shape.channels) }

  /// Whether all processes normalise with the same statistics of this batch.
  func synchronises(_ run: LayerRun) -> Bool {
    run.shared?.communicator.group.synchronisesBatchNorm == true && !usesRunningStatistics(run)
  }

  private func share(_ statistics: Statistics, _ shared: SharedStep) {
    let rows = shared.communicator.gather(count: exchangedCount) { row in
      row.update(from: statistics.mean, count: exchangedCount)
    }
    combine(rows, stride: exchangedCount, shared.images, into: statistics)
  }

  /// Takes the statistics that each process normalised with together into those of the whole batch, for the running ones.
  ///
  /// - Parameter rows: of each process all statistics of the step, `stride` floats.
  func combineLocalStatistics(_ run: LayerRun, _ shared: SharedStep, rows: UnsafePointer<Float>, stride: Int) {
    guard !usesRunningStatistics(run) else { return }
    combine(rows + statisticsOffset, stride: stride, shared.images, into: statistics(run.memory))
  }

  /// Mean and variance of images that lie in several places, each with its mean and variance.
  private func combine(_ rows: UnsafePointer<Float>, stride: Int, _ images: [Int], into statistics: Statistics) {
    let padded = ChannelBlock.padded(shape.channels)
    let whole = Double(images.reduce(0, +))
    let places = images.enumerated().filter { $0.element > 0 }.map { (rows + $0.offset * stride, Double($0.element)) }
    for channel in 0..<shape.channels {
      let mean = places.reduce(0) { $0 + $1.1 * Double($1.0[channel]) } / whole
      let squares = places.reduce(0.0) { sum, place in
        let difference = Double(place.0[channel]) - mean
        return sum + place.1 * (Double(place.0[padded + channel]) + difference * difference)
      }
      statistics.mean[channel] = Float(mean)
      statistics.variance[channel] = Float(squares / whole)
    }
  }

  /// Takes the batch's statistics into the running ones, unless they are frozen.
  func updateRunningStatistics(_ run: LayerRun) {
    guard !usesRunningStatistics(run) else { return }
    let statistics = statistics(run.memory)
    let count = Float(run.wholeBatch * shape.area)
    let unbiased = count / max(count - 1, 1)
    follow(runningMean, run, statistics.mean, scale: 1)
    follow(runningVariance, run, statistics.variance, scale: unbiased)
  }

  private func follow(
    _ slot: ParameterStore.Slot, _ run: LayerRun, _ batch: UnsafePointer<Float>, scale: Float
  ) {
    guard !keptStatistics.contains(slot) else { return }
    let running = run.values(slot)
    for channel in 0..<shape.channels {
      running[channel] += BatchNorm.momentum * (batch[channel] * scale - running[channel])
    }
  }
}

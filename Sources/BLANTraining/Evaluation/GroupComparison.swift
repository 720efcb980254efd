/// Computes ``GroupRates``: the figures of each group, then the same figures of resampled groups for the intervals.
struct GroupComparison {
  /// Probabilities, labels and thresholds of what is compared.
  let outcome: Outcome
  let grouping: Grouping
  let resamples: Int
  let seed: UInt64
  let threads: Int

  private let columns: [[RankedColumn]]
  private let counts: [Int]
  private let isTooFew: [Bool]
  private let labelled: [Int]
  private let comparable: [Int]

  /// - Parameter items: places of the images that were measured.
  init(_ outcome: Outcome, items: [Int], grouping: Grouping, resamples: Int, seed: UInt64, threads: Int) {
    self.outcome = outcome
    self.grouping = grouping
    self.resamples = resamples
    self.seed = seed
    self.threads = threads
    var members = [[Int]](repeating: [], count: grouping.groups.count)
    for item in items where grouping.codes[item] >= 0 { members[Int(grouping.codes[item])].append(item) }
    let attributes = outcome.attributes.indices
    let columns = members.map { outcome.columns(of: $0, threads: threads) }
    let isTooFew = members.map { $0.count < GroupRates.fewImages }
    let compared = members.indices.filter { !isTooFew[$0] }
    labelled = attributes.filter { attribute in members.indices.allSatisfy { !columns[$0][attribute].entries.isEmpty } }
    comparable = attributes.filter { attribute in
      !compared.isEmpty && compared.allSatisfy { !Self.isTooFew(columns[$0][attribute].measures().confusion) }
    }
    self.columns = columns
    self.isTooFew = isTooFew
    counts = members.map(\.count)
  }

  private static func isTooFew(_ confusion: Confusion) -> Bool {
    min(confusion.positives, confusion.negatives) < GroupRates.fewLabels
  }

  func rates() -> GroupRates {
    let rows = outcome.attributes.count + 1
    let measures = columns.map { group in group.map { $0.measures() } }
    let values = measures.map(figures)
    var gaps = (0..<rows * GroupMetric.count).map { cell in gap(cell, measures, values) }
    // What each gap is in each resample.
    var gapSamples = [Float](repeating: 0, count: gaps.count * resamples)
    let groups = columns.indices.map { group -> GroupRates.Group in
      let samples = resampled(group)
      for (cell, gap) in gaps.enumerated() {
        guard let pair = gap.groups, pair.highest == group || pair.lowest == group else { continue }
        let sign: Float = pair.highest == group ? 1 : -1
        for resample in cell * resamples..<(cell + 1) * resamples { gapSamples[resample] += sign * samples[resample] }
      }
      let figures = values[group].indices.map { cell in
        GroupRates.Figure(value: values[group][cell], interval: interval(of: cell, samples))
      }
      return described(group, figures, measures[group])
    }
    for cell in gaps.indices where gaps[cell].groups != nil {
      gaps[cell].figure.interval = interval(of: cell, gapSamples)
    }
    let byRow = (0..<rows).map { Array(gaps[$0 * GroupMetric.count..<($0 + 1) * GroupMetric.count]) }
    return GroupRates(
      by: grouping.by, groups: groups, comparable: comparable, meanGaps: byRow[rows - 1],
      gaps: Array(byRow.dropLast()))
  }

  /// [attributes + 1][metrics]: each attribute's figures, then their means.
  private func figures(_ measures: [Measures]) -> [Double] {
    var figures: [Double] = []
    figures.reserveCapacity((measures.count + 1) * GroupMetric.count)
    for measure in measures {
      for metric in GroupMetric.allCases { figures.append(metric.value(measure)) }
    }
    for metric in GroupMetric.allCases {
      let over = metric == .accuracy ? labelled : comparable
      figures.append(definedMean(over.lazy.map { figures[$0 * GroupMetric.count + metric.place] }))
    }
    return figures
  }

  private func gap(_ cell: Int, _ measures: [[Measures]], _ values: [[Double]]) -> GroupRates.Gap {
    let attribute = cell / GroupMetric.count
    let compared = columns.indices.filter { group in
      guard !isTooFew[group], !values[group][cell].isNaN else { return false }
      return attribute == outcome.attributes.count || !Self.isTooFew(measures[group][attribute].confusion)
    }
    let value = { (group: Int) in values[group][cell] }
    guard let highest = compared.max(by: { value($0) < value($1) }),
      let lowest = compared.filter({ $0 != highest }).min(by: { value($0) < value($1) })
    else { return .none }
    var gap = GroupRates.Gap.none
    gap.figure.value = values[highest][cell] - values[lowest][cell]
    gap.groups = (highest, lowest)
    return gap
  }

  /// The figures of one group in each resample: [attributes + 1][metrics][resamples].
  private func resampled(_ group: Int) -> [Float] {
    let cells = (outcome.attributes.count + 1) * GroupMetric.count
    var samples = [Float](repeating: .nan, count: cells * resamples)
    guard counts[group] > 0 else { return samples }
    let name = "bootstrap/\(grouping.by)/\(grouping.groups[group])"
    samples.withUnsafeMutableBufferPointer { samples in
      nonisolated(unsafe) let samples = samples
      Parallel.forEach(resamples, threads: threads) { resample in
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: counts[group]) { weights in
          weights.initialize(repeating: 0)
          Bootstrap.draw(into: weights, seed: seed, key: "\(name)/\(resample)")
          let measures = columns[group].map { $0.measures(weights: weights.baseAddress) }
          for (cell, value) in figures(measures).enumerated() { samples[cell * resamples + resample] = Float(value) }
        }
      }
    }
    return samples
  }

  private func interval(of cell: Int, _ samples: [Float]) -> ClosedInterval {
    Bootstrap.interval(samples[cell * resamples..<(cell + 1) * resamples])
  }

  private func described(_ group: Int, _ figures: [GroupRates.Figure], _ measures: [Measures]) -> GroupRates.Group {
    let rows = stride(from: 0, to: figures.count, by: GroupMetric.count).map {
      Array(figures[$0..<$0 + GroupMetric.count])
    }
    let cells = measures.indices.map { attribute in
      GroupRates.Cell(
        confusion: measures[attribute].confusion, unknown: columns[group][attribute].unknown,
        isTooFew: Self.isTooFew(measures[attribute].confusion), figures: rows[attribute])
    }
    return GroupRates.Group(
      values: grouping.groups[group], images: counts[group], isTooFew: isTooFew[group],
      means: rows[measures.count], cells: cells)
  }
}

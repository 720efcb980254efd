/// One attribute's probabilities and known labels, from the most to the least probable: everything that is measured of
/// it comes from one pass, which a bootstrap repeats with other weights.
struct RankedColumn: Sendable {
  struct Entry: Sendable {
    let probability: Float
    /// Place of the item in the caller's list, where its weight stands.
    let item: Int32
    let present: Bool
    /// The next entry has another probability.
    let endsStep: Bool
    /// The next entry is in another bin of ``CalibrationError``.
    let endsBin: Bool
  }

  let entries: [Entry]
  /// The first so many are decided to be present.
  let decidedCount: Int
  let unknown: Int

  /// - Parameters:
  ///   - items: places of the items that count in `probability` and `label`; an entry's weight stands at the place of
  ///     its item in this list.
  ///   - threshold: probability from which the decision is "present".
  ///   - label: 1, -1, or 0 for unknown: left out.
  init(items: [Int], threshold: Float, probability: (Int) -> Float, label: (Int) -> Int8) {
    var known: [(probability: Float, item: Int32, present: Bool)] = []
    known.reserveCapacity(items.count)
    for (place, item) in items.enumerated() {
      let label = label(item)
      if label != 0 { known.append((probability(item), Int32(truncatingIfNeeded: place), label > 0)) }
    }
    // Ties keep the order of the items, so that sums are the same from run to run.
    known.sort { $0.probability != $1.probability ? $0.probability > $1.probability : $0.item < $1.item }
    entries = known.indices.map { index in
      let next = index + 1 < known.count ? known[index + 1].probability : nil
      let probability = known[index].probability
      return Entry(
        probability: probability, item: known[index].item, present: known[index].present,
        endsStep: next != probability,
        endsBin: next.map(CalibrationError.bin) != CalibrationError.bin(probability))
    }
    decidedCount = known.firstIndex { $0.probability < threshold } ?? known.count
    unknown = items.count - known.count
  }

  /// - Parameter weights: how often each item counts; nil for once.
  func measures(weights: UnsafePointer<UInt16>? = nil) -> Measures {
    entries.withUnsafeBufferPointer { entries in
      // Sums live here and not outside of the closure, where each would be a load and a store an entry.
      var confusion = Confusion()
      var averagePrecision = AveragePrecision()
      var calibration = CalibrationError()
      var squares = 0.0
      for index in entries.indices {
        let entry = entries[index]
        let weight = if let weights { Int(weights[Int(entry.item)]) } else { 1 }
        if weight > 0 {
          confusion.add(decided: index < decidedCount, present: entry.present, weight: weight)
          averagePrecision.add(present: entry.present, weight: weight)
          calibration.add(probability: entry.probability, present: entry.present, weight: weight)
          let distance = Double(entry.probability) - (entry.present ? 1 : 0)
          squares += distance * distance * Double(weight)
        }
        if entry.endsStep { averagePrecision.step() }
        if entry.endsBin { calibration.endBin() }
      }
      let count = confusion.positives + confusion.negatives
      return Measures(
        confusion: confusion, averagePrecision: averagePrecision.value, calibrationError: calibration.value,
        brier: count == 0 ? .nan : squares / Double(count))
    }
  }
}

/// What a ``RankedColumn`` measures. NaN where the labels do not suffice.
public struct Measures: Sendable, Equatable {
  public var confusion: Confusion
  public var averagePrecision: Double
  /// Expected calibration error in 15 bins.
  public var calibrationError: Double
  /// Mean squared distance of the probability from the label, 1 or 0.
  public var brier: Double
}

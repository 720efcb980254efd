import BLANTensors

/// Resampling with replacement, and the intervals that it gives.
enum Bootstrap {
  /// Share of the resampled values inside an interval.
  static let confidence = 0.95

  /// Draws as many items as there are and writes how often each was drawn. Draws of the same stream are the same on any
  /// number of threads.
  ///
  /// - Parameter key: names what is resampled, and the number of the resample.
  static func draw(into weights: UnsafeMutableBufferPointer<UInt16>, seed: UInt64, key: String) {
    weights.update(repeating: 0)
    var stream = RandomStream(seed: seed, key: key)
    for _ in 0..<weights.count {
      let item = Int(stream.next().multipliedFullWidth(by: UInt64(weights.count)).high)
      if weights[item] < .max { weights[item] += 1 }
    }
  }

  /// The percentile interval, ends interpolated between neighbours. NaN where a metric was defined in fewer than half of
  /// the resamples: what is left would say more of them than of the data.
  static func interval(_ values: some Collection<Float>) -> ClosedInterval {
    let sorted = values.filter { !$0.isNaN }.sorted()
    guard !sorted.isEmpty, 2 * sorted.count >= values.count else { return ClosedInterval(low: .nan, high: .nan) }
    let tail = (1 - confidence) / 2
    return ClosedInterval(low: quantile(sorted, tail), high: quantile(sorted, 1 - tail))
  }

  private static func quantile(_ sorted: [Float], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let low = Int(place)
    let high = min(low + 1, sorted.count - 1)
    let part = place - Double(low)
    return Double(sorted[low]) * (1 - part) + Double(sorted[high]) * part
  }
}

/// Ends of an interval; NaN where there is none.
public struct ClosedInterval: Sendable {
  public var low: Double
  public var high: Double
}

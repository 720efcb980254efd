import Glibc

/// How fast a run goes.
struct Pace {
  /// Weight of the newest batch in the moving average.
  private static let share = 0.1

  private var secondsPerBatch: Double?
  private var lastStep = now()
  private(set) var imagesPerSecond = 0.0
  var secondsOfValidation = 0.0

  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Time that was not spent on batches does not count.
  mutating func restart() { lastStep = Self.now() }

  mutating func step(images: Int) {
    let now = Self.now()
    let seconds = now - lastStep
    lastStep = now
    secondsPerBatch = secondsPerBatch.map { $0 + Self.share * (seconds - $0) } ?? seconds
    let rate = Double(images) / max(seconds, 1e-9)
    imagesPerSecond = imagesPerSecond == 0 ? rate : imagesPerSecond + Self.share * (rate - imagesPerSecond)
  }

  func secondsLeft(batches: Int, epochs: Int) -> Double {
    Double(batches) * (secondsPerBatch ?? 0) + Double(max(epochs, 0)) * secondsOfValidation
  }
}

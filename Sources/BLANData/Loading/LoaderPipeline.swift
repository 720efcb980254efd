import BLANTensors

/// Prepares the batches of one epoch after another on worker threads, a few ahead of their consumer.
///
/// Work is handed out item by item, so that the first batch is ready as soon as all workers together can make it. Each
/// item has its place in its batch: the result does not depend on which thread comes first.
final class LoaderPipeline: @unchecked Sendable {
  /// A batch that is made or waits to be fetched.
  private final class Slot {
    let batch: Batch
    var unfinished: Int
    var failures: [Int: BLANError] = [:]

    init(_ batch: Batch, unfinished: Int) {
      self.batch = batch
      self.unfinished = unfinished
    }
  }

  /// An item to read. Its slot holds the batch until the last of its jobs is done; a job does not, so that a batch
  /// that was fetched belongs to its consumer alone.
  private struct Job {
    let batch: Int
    let place: Int
    let item: Int
    let epoch: Int
    let pixels: UnsafeMutablePointer<Float>
    let labels: UnsafeMutablePointer<Int8>
  }

  /// A finished batch with the items that could not be read, by their place in it.
  struct Delivery {
    let batch: Batch
    let failures: [Int: BLANError]
  }

  private let reader: ItemReader
  private let attributes: Int
  private let batchSize: Int
  private let part: LoaderOptions.Part
  private let batchesAhead: Int
  private let workers: Int

  // All that follows is touched under the monitor alone.
  private let monitor = Monitor()
  private var threads: [WorkerThread] = []
  private var isStopping = false
  private var failure: BLANError?
  private var order: [Int] = []
  private var epoch = 0
  private var batchCount = 0
  private var slots: [Int: Slot] = [:]
  private var openBatch = 0
  private var openPlace = 0
  private var wantedBatch = 0
  private var jobsRunning = 0
  private var free: [Batch] = []

  init(reader: ItemReader, attributes: Int, options: LoaderOptions) throws {
    self.reader = reader
    self.attributes = attributes
    batchSize = options.batch
    part = options.part
    batchesAhead = options.batchesAhead
    workers = try ThreadBudget.resolve(options.workers)
  }

  /// Begins an epoch at one of its batches; what was prepared before is dropped.
  func begin(order: [Int], epoch: Int, batchCount: Int, at batch: Int) throws {
    try monitor.locked {
      // Nothing is handed out of an epoch without batches, so the running jobs are the last of the old epoch.
      self.batchCount = 0
      while jobsRunning > 0 { monitor.wait() }
      free += slots.values.map(\.batch)
      slots = [:]
      failure = nil
      self.order = order
      self.epoch = epoch
      self.batchCount = batchCount
      wantedBatch = batch
      openBatch = batch
      openPlace = 0
      try startThreads()
      monitor.wakeAll()
    }
  }

  /// The next batch, waited for; nil past the last.
  func fetch() throws -> Delivery? {
    try monitor.locked {
      guard wantedBatch < batchCount else { return nil }
      while true {
        if let failure { throw failure }
        if let slot = slots[wantedBatch], slot.unfinished == 0 {
          slots[wantedBatch] = nil
          wantedBatch += 1
          monitor.wakeAll()
          return Delivery(batch: slot.batch, failures: slot.failures)
        }
        monitor.wait()
      }
    }
  }

  /// Takes back the memory of a batch that nobody uses.
  func recycle(_ batch: Batch) { monitor.locked { free.append(batch) } }

  /// Ends the threads, and waits for them.
  func stop() {
    let ended = monitor.locked {
      isStopping = true
      monitor.wakeAll()
      defer { threads = [] }
      return threads
    }
    for thread in ended { thread.join() }
    monitor.locked { isStopping = false }
  }

  private func startThreads() throws {
    while threads.count < workers {
      do {
        threads.append(try WorkerThread { [self] in work() })
      } catch {
        // Fewer threads give the same batches, later.
        if threads.isEmpty { throw error }
        return
      }
    }
  }

  private func work() {
    while let job = nextJob() {
      var failure: BLANError?
      do {
        try reader.read(job.item, epoch: job.epoch, pixels: job.pixels, labels: job.labels)
      } catch {
        failure = error as? BLANError ?? .internal("\(error)")
      }
      monitor.locked {
        if let slot = slots[job.batch] {
          slot.failures[job.place] = failure
          slot.unfinished -= 1
        }
        jobsRunning -= 1
        monitor.wakeAll()
      }
    }
  }

  /// The next item to read, waited for; nil when the thread is to end.
  private func nextJob() -> Job? {
    monitor.locked {
      while !isStopping {
        if failure == nil, openBatch < min(batchCount, wantedBatch + batchesAhead) {
          do {
            guard let job = try takeJob() else { continue }
            jobsRunning += 1
            return job
          } catch {
            failure = error as? BLANError ?? .internal("\(error)")
            monitor.wakeAll()
          }
        }
        monitor.wait()
      }
      return nil
    }
  }

  /// Nil for a batch without images here, which is complete at once.
  private func takeJob() throws -> Job? {
    let slot = try slots[openBatch] ?? openSlot()
    guard slot.batch.count > 0 else {
      openBatch += 1
      monitor.wakeAll()
      return nil
    }
    let job = Job(
      batch: openBatch, place: openPlace, item: slot.batch.items[openPlace], epoch: epoch,
      pixels: slot.batch.pixels.pointer + openPlace * reader.imageFloats,
      labels: slot.batch.labels.pointer + openPlace * attributes)
    openPlace += 1
    if openPlace == slot.batch.count {
      openBatch += 1
      openPlace = 0
    }
    return job
  }

  private func openSlot() throws -> Slot {
    let batch =
      try free.popLast()
      ?? Batch(
        capacity: (batchSize + part.count - 1) / part.count, imageFloats: reader.imageFloats, attributes: attributes)
    let first = openBatch * batchSize
    let own = part.range(of: min(batchSize, order.count - first))
    batch.items = Array(order[first + own.lowerBound..<first + own.upperBound])
    batch.count = batch.items.count
    batch.position = LoaderPosition(epoch: epoch, batch: openBatch)
    let slot = Slot(batch, unfinished: batch.count)
    slots[openBatch] = slot
    return slot
  }
}

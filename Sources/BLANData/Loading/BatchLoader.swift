import BLANTensors

/// Reads a data set batch by batch, decoding, resizing and augmenting on threads of its own ahead of the consumer.
///
/// The batches of an epoch depend on the data and the options alone: a loader that is started in the middle of an epoch
/// delivers the rest of it bit for bit, whatever the number of threads and the size of the cache. The threads start
/// with the first batch that is asked for, and end with ``stop()`` or with the loader.
///
/// A loader belongs to one thread at a time.
public final class BatchLoader {
  public let dataset: Dataset
  public let options: LoaderOptions
  /// Batches in an epoch, before any is passed over for too few readable images.
  public let batchesPerEpoch: Int
  /// Where the batch that ``next()`` returns next stands; past the last one at the end of an epoch.
  public private(set) var position = LoaderPosition(epoch: 0, batch: 0)
  /// How many images could not be read and were skipped so far, each counted once.
  public var skippedCount: Int { skipped.count }

  private let reader: ItemReader
  private let pipeline: LoaderPipeline
  private var isRunning = false
  private var skipped: Set<Int> = []
  /// The batch delivered last: its memory is used again unless the consumer holds it.
  private var lent: Batch?

  /// - Throws: `BLANError.invalidArgument` for an option out of range, or for data of less than one batch where the
  ///   remainder is dropped.
  public init(dataset: Dataset, options: LoaderOptions) throws {
    try options.validate()
    self.dataset = dataset
    self.options = options
    batchesPerEpoch =
      options.dropsRemainder ? dataset.count / options.batch : (dataset.count + options.batch - 1) / options.batch
    guard batchesPerEpoch > 0 else {
      throw BLANError.invalidArgument(
        "\(dataset.source) has \(dataset.count) images; expected a batch of \(options.batch) at least")
    }
    reader = ItemReader(dataset, options)
    pipeline = try LoaderPipeline(reader: reader, attributes: dataset.attributes.count, options: options)
  }

  deinit { pipeline.stop() }

  /// Bytes of decoded images held.
  public var cachedBytes: Int { reader.cache.bytes }

  /// Goes to the beginning of an epoch, or to a batch in it: a `position` saved earlier.
  ///
  /// - Throws: `BLANError.invalidArgument` for a place outside the epoch; `.outOfMemory` when no thread can be started.
  public func start(epoch: Int, batch: Int = 0) throws {
    guard epoch >= 0, (0...batchesPerEpoch).contains(batch) else {
      throw BLANError.invalidArgument(
        "cannot start at batch \(batch) of epoch \(epoch); expected batch 0 to \(batchesPerEpoch)")
    }
    let order =
      options.shuffles
      ? EpochOrder.shuffled(count: dataset.count, seed: options.seed, epoch: epoch) : Array(0..<dataset.count)
    isRunning = false
    try pipeline.begin(order: order, epoch: epoch, batchCount: batchesPerEpoch, at: batch)
    isRunning = true
    position = LoaderPosition(epoch: epoch, batch: batch)
  }

  /// The next batch of the epoch; nil at its end, until ``start(epoch:batch:)`` begins another.
  ///
  /// - Throws: the error of the first unreadable image, naming its file, unless such images are skipped;
  ///   `BLANError.outOfMemory`. The position then stays before the batch at fault.
  public func next() throws -> Batch? {
    takeBack()
    if !isRunning { try start(epoch: position.epoch, batch: position.batch) }
    do {
      while let delivery = try pipeline.fetch() {
        let batch = delivery.batch
        try settle(delivery)
        position.batch += 1
        if batch.count >= options.minimumCount {
          lent = batch
          return batch
        }
        pipeline.recycle(batch)
      }
      return nil
    } catch {
      isRunning = false
      throw error
    }
  }

  /// Ends the threads and waits for them. ``next()`` starts them again at ``position``.
  public func stop() {
    pipeline.stop()
    isRunning = false
  }

  private func takeBack() {
    if isKnownUniquelyReferenced(&lent), let batch = lent { pipeline.recycle(batch) }
    lent = nil
  }

  /// Reports the unreadable images of a batch and closes the gaps that they leave, or throws.
  private func settle(_ delivery: LoaderPipeline.Delivery) throws {
    guard !delivery.failures.isEmpty else { return }
    let batch = delivery.batch
    for (place, error) in delivery.failures.sorted(by: { $0.key < $1.key }) {
      guard options.unreadable == .skip, error.blamesImage else { throw error }
      if skipped.insert(batch.items[place]).inserted { options.onSkipped?(batch.items[place], error) }
    }
    batch.keep(
      (0..<batch.count).filter { delivery.failures[$0] == nil }, imageFloats: reader.imageFloats,
      attributes: dataset.attributes.count)
  }
}

import BLANTensors

/// How a ``BatchLoader`` reads.
public struct LoaderOptions: Sendable {
  /// What to do with an image that cannot be read.
  public enum Unreadable: Sendable {
    /// `next()` throws an error that names the file.
    case stop
    /// The batch is delivered without it, and it is reported once.
    case skip
  }

  /// The share of each batch that one of several loaders reads; together they read all of it.
  public struct Part: Sendable, Equatable {
    /// From 0.
    public var index = 0
    public var count = 1

    public init(index: Int = 0, count: Int = 1) {
      self.index = index
      self.count = count
    }

    /// The places of a batch of so many images that belong to the part.
    func range(of images: Int) -> Range<Int> { images * index / count..<images * (index + 1) / count }
  }

  /// S: height and width of the images, in pixels.
  public var size: Int
  /// Mean of R, G and B on a scale of 0 to 1.
  public var mean: [Float] = [0.485, 0.456, 0.406]
  /// Standard deviation of R, G and B on a scale of 0 to 1.
  public var std: [Float] = [0.229, 0.224, 0.225]
  /// Images in a batch.
  public var batch: Int
  /// Which of them are read here.
  public var part = Part()
  /// Seed of the order and of the augmentation.
  public var seed: UInt64 = 0
  /// Another order each epoch; otherwise the data set's own.
  public var shuffles = false
  public var augmentation = Augmentation()
  /// Whether the images at the end of an epoch that fill no batch are left out.
  public var dropsRemainder = false
  /// A batch of fewer readable images than this is passed over; 0 delivers empty ones too.
  public var minimumCount = 1
  /// Threads that read images; 0 for ``ThreadBudget/automatic()``.
  public var workers = 0
  /// Batches prepared ahead of the one asked for.
  public var batchesAhead = 3
  /// Memory for decoded images that are kept from one epoch to the next, in bytes; 0 keeps none.
  public var cacheBytes = 2 << 30
  public var unreadable = Unreadable.stop
  /// Told of each image that is skipped, once, on the thread that calls `next()`.
  public var onSkipped: (@Sendable (_ item: Int, _ error: BLANError) -> Void)?

  public init(size: Int, batch: Int) {
    self.size = size
    self.batch = batch
  }

  /// - Throws: `BLANError.invalidArgument`, naming the option, its value and its range.
  func validate() throws {
    try Self.check("size", size, 1...Self.largestSide)
    try Self.check("batch", batch, 1...65_536)
    try Self.check("minimumCount", minimumCount, 0...batch)
    try Self.check("part.count", part.count, 1...65_536)
    try Self.check("part.index", part.index, 0...part.count - 1)
    try Self.check("batchesAhead", batchesAhead, 1...1024)
    try Self.check("cacheBytes", cacheBytes, 0...Int.max)
    guard mean.count == 3, mean.allSatisfy(\.isFinite) else {
      throw BLANError.invalidArgument("mean is \(mean); expected three finite numbers")
    }
    guard std.count == 3, std.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw BLANError.invalidArgument("std is \(std); expected three positive numbers")
    }
    try augmentation.validate()
  }

  private static let largestSide = 8192

  private static func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
      throw BLANError.invalidArgument(
        "\(name) of the batch loader is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
  }
}

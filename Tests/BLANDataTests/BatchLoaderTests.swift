import BLANTensors
import Synchronization
import Testing

@testable import BLANData

@Suite struct BatchLoaderTests {
  private static let side = 8
  private let folder: TemporaryFolder
  private let data: Dataset

  /// Ten images; the red channel of image i is 20 i, its left half is darker than its right.
  init() throws {
    folder = try TemporaryFolder()
    let side = Self.side
    for item in 0..<10 {
      let rgb = (0..<side * side).flatMap { pixel -> [UInt8] in
        [UInt8(20 * item), pixel % side < side / 2 ? 40 : 200, UInt8(pixel)]
      }
      try folder.write("\(item).png", TestImages.png(width: side, height: side, rgb: rgb))
    }
    data = try Dataset(
      source: "ten images", attributes: ["A", "B"], paths: (0..<10).map { [folder] in "\(folder.path)/\($0).png" },
      labels: (0..<10).flatMap { [$0 % 2 == 0 ? 1 : -1, Int8($0 % 3) - 1] as [Int8] })
  }

  /// Batches of three of the images as they are, values 0 to 1.
  private func options(_ change: (inout LoaderOptions) -> Void = { _ in }) -> LoaderOptions {
    var options = LoaderOptions(size: Self.side, batch: 3)
    options.mean = [0, 0, 0]
    options.std = [1, 1, 1]
    change(&options)
    return options
  }

  private struct Copy: Equatable {
    let items: [Int]
    let pixels: [Float]
    let labels: [Int8]
  }

  private func copy(_ batch: Batch) -> Copy {
    Copy(
      items: batch.items, pixels: Array(batch.pixels.elements[..<(batch.count * 3 * Self.side * Self.side)]),
      labels: Array(batch.labels.elements[..<(batch.count * 2)]))
  }

  private func rest(_ loader: BatchLoader) throws -> [Copy] {
    var batches: [Copy] = []
    while let batch = try loader.next() { batches.append(copy(batch)) }
    return batches
  }

  @Test func itemsLabelsAndPixels() throws {
    let loader = try BatchLoader(dataset: data, options: options())
    #expect(loader.batchesPerEpoch == 4)
    let batches = try rest(loader)
    #expect(batches.map(\.items) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]])
    #expect(batches.map(\.labels).flatMap { $0 } == data.labels)
    let area = Self.side * Self.side
    for (place, item) in batches.flatMap({ batch in batch.items.indices.map { (batch, $0) } }).enumerated() {
      let pixels = item.0.pixels[item.1 * 3 * area..<(item.1 + 1) * 3 * area].map { Int(($0 * 255).rounded()) }
      #expect(pixels[..<area].allSatisfy { $0 == 20 * place })
      #expect(pixels[area] == 40 && pixels[2 * area - 1] == 200)
      #expect(Array(pixels[(2 * area)...]) == Array(0..<area))
    }
  }

  @Test func normalisationIsThePreprocessors() throws {
    let loader = try BatchLoader(dataset: data, options: LoaderOptions(size: Self.side, batch: 10))
    let batch = try #require(try loader.next())
    let expected = (Float(100) / 255 - 0.485) / 0.229
    #expect(abs(batch.pixels.elements[5 * 3 * Self.side * Self.side] - expected) < 1e-6)
  }

  @Test func theNumberOfThreadsAndTheCacheChangeNothing() throws {
    func epochs(workers: Int, cache: Int, ahead: Int) throws -> [[Copy]] {
      let loader = try BatchLoader(
        dataset: data,
        options: options {
          $0.workers = workers
          $0.cacheBytes = cache
          $0.batchesAhead = ahead
          $0.shuffles = true
          $0.seed = 11
          $0.augmentation = .everything
        })
      return try (0..<3).map {
        try loader.start(epoch: $0)
        return try rest(loader)
      }
    }
    let reference = try epochs(workers: 1, cache: 0, ahead: 1)
    #expect(try epochs(workers: 4, cache: 1 << 20, ahead: 3) == reference)
    #expect(try epochs(workers: 2, cache: 1000, ahead: 100) == reference)
    #expect(reference[0].map(\.items) != reference[1].map(\.items))
    for epoch in reference { #expect(epoch.flatMap(\.items).sorted() == Array(0..<10)) }
  }

  @Test func anotherSeedGivesAnotherOrder() throws {
    let orders = try (0..<2).map { seed in
      try rest(
        BatchLoader(
          dataset: data,
          options: options {
            $0.shuffles = true
            $0.seed = UInt64(seed)
          })
      ).map(\.items)
    }
    #expect(orders[0] != orders[1])
  }

  @Test func anEpochIsResumedInItsMiddle() throws {
    let shuffled = options {
      $0.shuffles = true
      $0.seed = 3
      $0.augmentation = .everything
    }
    let whole = try BatchLoader(dataset: data, options: shuffled)
    try whole.start(epoch: 5)
    let batches = try rest(whole)
    #expect(whole.position == LoaderPosition(epoch: 5, batch: 4))
    let resumed = try BatchLoader(dataset: data, options: shuffled)
    try resumed.start(epoch: 5, batch: 2)
    #expect(try rest(resumed) == Array(batches[2...]))
    // A loader that is stopped, or sent back, goes on as if nothing had been.
    try whole.start(epoch: 5)
    #expect(try copy(#require(try whole.next())) == batches[0])
    whole.stop()
    #expect(try rest(whole) == Array(batches[1...]))
    try whole.start(epoch: 5, batch: 3)
    #expect(try rest(whole) == [batches[3]])
    #expect(throws: BLANError.self) { try whole.start(epoch: 0, batch: 5) }
    #expect(throws: BLANError.self) { try whole.start(epoch: -1) }
  }

  @Test func remaindersAreDropped() throws {
    let loader = try BatchLoader(dataset: data, options: options { $0.dropsRemainder = true })
    #expect(loader.batchesPerEpoch == 3)
    #expect(try rest(loader).map(\.items.count) == [3, 3, 3])
    #expect(throws: BLANError.self) {
      try BatchLoader(
        dataset: data,
        options: options {
          $0.batch = 11
          $0.dropsRemainder = true
        })
    }
  }

  @Test func aBatchThatIsHeldKeepsItsPixels() throws {
    let loader = try BatchLoader(dataset: data, options: options())
    let first = try #require(try loader.next())
    let before = copy(first)
    _ = try rest(loader)
    try loader.start(epoch: 1)
    _ = try rest(loader)
    #expect(copy(first) == before)
  }

  @Test func memoryOfBatchesIsReused() throws {
    let loader = try BatchLoader(dataset: data, options: options { $0.batchesAhead = 1 })
    var places: Set<UnsafeMutablePointer<Float>> = []
    for epoch in 0..<3 {
      try loader.start(epoch: epoch)
      while let batch = try loader.next() { places.insert(batch.pixels.pointer) }
    }
    #expect(places.count <= 2)
  }

  @Test func unreadableImagesAreSkippedNamedAndCountedOnce() throws {
    try folder.write("4.png", "no image")
    try folder.write("9.png", [])
    let reported = Mutex<[(Int, String)]>([])
    let loader = try BatchLoader(
      dataset: data,
      options: options {
        $0.unreadable = .skip
        $0.onSkipped = { item, error in reported.withLock { $0.append((item, error.message)) } }
      })
    for epoch in 0..<2 {
      try loader.start(epoch: epoch)
      let batches = try rest(loader)
      #expect(batches.map(\.items) == [[0, 1, 2], [3, 5], [6, 7, 8]])
      #expect(batches[1].labels == Array(data.labels[6..<8] + data.labels[10..<12]))
      #expect(Int((batches[1].pixels[3 * Self.side * Self.side] * 255).rounded()) == 100)
    }
    #expect(loader.skippedCount == 2)
    let (items, messages) = reported.withLock { ($0.map(\.0), $0.map(\.1)) }
    #expect(items == [4, 9])
    #expect(messages[0].contains("4.png") && messages[1].contains("9.png"))
  }

  @Test func anUnreadableImageStopsTheEpoch() throws {
    try folder.write("4.png", "no image")
    let loader = try BatchLoader(dataset: data, options: options())
    #expect(try #require(try loader.next()).items == [0, 1, 2])
    for _ in 0..<2 {
      let error = #expect(throws: BLANError.self) { try loader.next() }
      #expect(try #require(error).message.contains("4.png"))
      #expect(loader.position == LoaderPosition(epoch: 0, batch: 1))
    }
    try loader.start(epoch: 0, batch: 2)
    #expect(try rest(loader).map(\.items) == [[6, 7, 8], [9]])
  }

  @Test func batchesOfTooFewAreLeftOut() throws {
    let loader = try BatchLoader(dataset: data, options: options { $0.minimumCount = 2 })
    #expect(try rest(loader).map(\.items.count) == [3, 3, 3])
    #expect(loader.position.batch == 4)
  }

  @Test func theCacheKeepsToItsLimit() throws {
    let bytes = 3 * Self.side * Self.side
    for (limit, held) in [(0, 0), (bytes * 4 + 5, bytes * 4), (1 << 20, bytes * 10)] {
      let loader = try BatchLoader(dataset: data, options: options { $0.cacheBytes = limit })
      _ = try rest(loader)
      #expect(loader.cachedBytes == held)
    }
  }

  @Test func cachedImagesAreNotReadAgain() throws {
    let loader = try BatchLoader(dataset: data, options: options())
    let before = try rest(loader)
    for item in 0..<10 { try folder.write("\(item).png", "gone") }
    try loader.start(epoch: 1)
    #expect(try rest(loader) == before)
  }

  @Test func optionsOutOfRangeAreNamed() throws {
    let changes: [(String, (inout LoaderOptions) -> Void)] = [
      ("size", { $0.size = 0 }), ("batch", { $0.batch = 0 }), ("minimumCount", { $0.minimumCount = 4 }),
      ("batchesAhead", { $0.batchesAhead = 0 }), ("cacheBytes", { $0.cacheBytes = -1 }), ("mean", { $0.mean = [0] }),
      ("std", { $0.std = [1, 0, 1] }), ("threads", { $0.workers = -1 }),
    ]
    for (name, change) in changes {
      let error = #expect(throws: BLANError.self) { try BatchLoader(dataset: data, options: options(change)) }
      #expect(try #require(error).message.hasPrefix(name))
    }
  }

  @Test(.enabled(if: RealFaces.folder != nil, RealFaces.skipped))
  func realFacesMatchThePreprocessor() throws {
    let faces = try Dataset.open(path: #require(RealFaces.folder), split: .test).subset(Array(0..<20))
    let loader = try BatchLoader(dataset: faces, options: LoaderOptions(size: 64, batch: 20))
    let batch = try #require(try loader.next())
    #expect(try PreparedDirectly.largestDifference(batch, faces.paths, size: 64) < 1e-6)
  }
}

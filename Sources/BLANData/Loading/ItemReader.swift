import BLANImages
import BLANTensors

/// Makes an item's normalised planes: reads, resizes (or takes from the cache), changes and normalises.
///
/// Several threads may use one at the same time.
final class ItemReader: Sendable {
  let size: Int
  /// Floats of one image, 3 x S x S.
  let imageFloats: Int
  let cache: ImageCache
  private let dataset: Dataset
  private let seed: UInt64
  private let augmentation: Augmentation
  private let preprocessor: Preprocessor
  private let decoder = ImageDecoder()

  init(_ dataset: Dataset, _ options: LoaderOptions) {
    self.dataset = dataset
    size = options.size
    imageFloats = 3 * size * size
    seed = options.seed
    augmentation = options.augmentation
    preprocessor = Preprocessor(size: size, mean: options.mean, std: options.std)
    cache = ImageCache(count: dataset.count, limit: options.cacheBytes)
  }

  /// Writes the item's planes and labels.
  ///
  /// - Throws: what the decoder says of the file.
  func read(
    _ item: Int, epoch: Int, pixels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int8>
  ) throws {
    let image = try cache.image(item) {
      try decoder.decode(path: dataset.paths[item]).withView {
        try Resizer.resize($0, width: size, height: size, threads: 1)
      }
    }
    let draw = augmentation.draw(seed: seed, epoch: epoch, item: item)
    preprocessor.table.withUnsafeBufferPointer { table in
      if let table = table.baseAddress {
        PixelPlanes.normalise(image.pixels.pointer, size: size, mirrors: draw.mirrors, table: table, into: pixels)
      }
    }
    for (index, label) in dataset.labels(of: item).enumerated() { labels[index] = label }
  }
}

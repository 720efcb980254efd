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
  /// Side of the images that the cache holds.
  private let storedSize: Int
  private let preprocessor: Preprocessor
  private let decoder = ImageDecoder()

  init(_ dataset: Dataset, _ options: LoaderOptions) {
    self.dataset = dataset
    size = options.size
    imageFloats = 3 * size * size
    seed = options.seed
    augmentation = options.augmentation
    storedSize = augmentation.storedSize(for: size)
    preprocessor = Preprocessor(size: size, mean: options.mean, std: options.std)
    cache = ImageCache(count: dataset.count, limit: options.cacheBytes)
  }

  /// Writes the item's planes and labels.
  ///
  /// - Throws: what the decoder says of the file.
  func read(
    _ item: Int, epoch: Int, pixels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int8>
  ) throws {
    let stored = try cache.image(item) {
      try decoder.decode(path: dataset.paths[item]).withView {
        try Resizer.resize($0, width: storedSize, height: storedSize, threads: 1)
      }
    }
    let draw = augmentation.draw(seed: seed, epoch: epoch, item: item)
    let image = try changed(stored, by: draw)
    preprocessor.table.withUnsafeBufferPointer { table in
      if let table = table.baseAddress {
        PixelPlanes.normalise(image.pixels.pointer, size: size, mirrors: draw.mirrors, table: table, into: pixels)
      }
    }
    if draw.cutout.side > 0 {
      PixelPlanes.blank(pixels, size: size, x: draw.cutout.x, y: draw.cutout.y, side: draw.cutout.side)
    }
    for (index, label) in dataset.labels(of: item).enumerated() { labels[index] = label }
  }

  /// The stored image warped into the input's frame, its colours changed; the stored image itself where neither is due.
  private func changed(_ stored: Image, by draw: AugmentationDraw) throws -> Image {
    let similarity = draw.similarity(stored: storedSize, size: size)
    guard similarity != nil || draw.colour != ColourChange() else { return stored }
    let image = try Image(width: size, height: size)
    if let similarity {
      try stored.withView { similarity.warp($0, into: image, threads: 1) }
    } else {
      image.pixels.pointer.update(from: stored.pixels.pointer, count: stored.pixels.count)
    }
    draw.colour.apply(to: image.pixels.pointer, count: size * size)
    return image
  }
}

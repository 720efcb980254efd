import BLANImages
import BLANTensors

/// Decoded images, kept until a limit of memory is reached. Nothing is ever thrown out: an epoch goes through all items
/// in random order, so no choice of what to keep is better than the first that came.
final class ImageCache: Sendable {
  private struct Contents {
    var images: [Image?]
    var failures: [Int: BLANError] = [:]
    var bytes = 0
  }

  private let limit: Int
  private let contents: Mutex<Contents>

  init(count: Int, limit: Int) {
    self.limit = limit
    contents = Mutex(Contents(images: Array(repeating: nil, count: count)))
  }

  /// Bytes of pixels held.
  var bytes: Int { contents.withLock(\.bytes) }

  /// The item's image, read by `load` where it is not held. What could not be read once is not tried again, so that
  /// all epochs see the same images.
  func image(_ item: Int, load: () throws -> Image) throws -> Image {
    if let known = try contents.withLock({ contents throws(BLANError) -> Image? in
      if let failure = contents.failures[item] { throw failure }
      return contents.images[item]
    }) {
      return known
    }
    do {
      let image = try load()
      contents.withLock { contents in
        guard contents.images[item] == nil, contents.bytes + image.pixels.count <= limit else { return }
        contents.images[item] = image
        contents.bytes += image.pixels.count
      }
      return image
    } catch {
      let failure = error as? BLANError ?? .internal("\(error)")
      if failure.blamesImage { contents.withLock { $0.failures[item] = failure } }
      throw failure
    }
  }
}

extension BLANError {
  /// Whether the file is at fault, and not the machine.
  public var blamesImage: Bool {
    switch kind {
    case .io, .format, .unsupported, .invalidArgument, .shape: return true
    case .outOfMemory, .cancelled, .internal: return false
    }
  }
}

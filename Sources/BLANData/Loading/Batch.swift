import BLANTensors

/// Images ready for the network, with their labels.
///
/// It never changes while somebody holds it: a loader reuses the memory of a batch once nobody else does.
public final class Batch: @unchecked Sendable {
  /// Room for so many images.
  public let capacity: Int
  /// capacity x 3 x S x S: R, G and B planes, normalised. The first ``count`` images are valid.
  public let pixels: AlignedBuffer<Float>
  /// capacity x attributes: 1 present, -1 absent, 0 unknown.
  public let labels: AlignedBuffer<Int8>
  /// How many images it holds.
  public internal(set) var count = 0
  /// For each image the index of its item in the data set.
  public internal(set) var items: [Int] = []
  /// Where in the run it stands.
  public internal(set) var position = LoaderPosition(epoch: 0, batch: 0)

  init(capacity: Int, imageFloats: Int, attributes: Int) throws {
    self.capacity = capacity
    pixels = try AlignedBuffer(count: capacity * imageFloats, purpose: "a batch of \(capacity) images")
    labels = try AlignedBuffer(count: capacity * attributes, purpose: "the labels of \(capacity) images")
  }

  /// Moves the images of the given places together, to the front.
  func keep(_ places: [Int], imageFloats: Int, attributes: Int) {
    for (to, from) in places.enumerated() where to != from {
      (pixels.pointer + to * imageFloats).update(from: pixels.pointer + from * imageFloats, count: imageFloats)
      (labels.pointer + to * attributes).update(from: labels.pointer + from * attributes, count: attributes)
      items[to] = items[from]
    }
    items.removeLast(items.count - places.count)
    count = places.count
  }
}

/// A place in a run: an epoch and the number of a batch in it, both from 0 on.
public struct LoaderPosition: Sendable, Equatable, Codable {
  public var epoch: Int
  public var batch: Int

  public init(epoch: Int, batch: Int) {
    self.epoch = epoch
    self.batch = batch
  }
}

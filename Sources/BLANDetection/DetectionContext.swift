import BLANTensors

/// The memory of one call in flight, kept from call to call and enlarged where one needs more.
final class DetectionContext: @unchecked Sendable {
  /// What one worker needs for one tile or crop.
  struct Worker {
    var planes = Reserve<Float>()
    var scratch = Reserve<Float>()
    var map = Reserve<Float>()
    var sums = Reserve<UInt8>()
  }

  private(set) var workers: [Worker]
  /// The maps, hidden rows and outputs of a batch of crops.
  private(set) var features = Reserve<Float>()
  private(set) var hidden = Reserve<Float>()
  private(set) var outputs = Reserve<Float>()

  init(threads: Int) { workers = Array(repeating: Worker(), count: threads) }

  /// What is needed, in elements.
  struct Need {
    var planes = 0
    var scratch = 0
    var map = 0
    var sums = 0
  }

  func reserve(_ need: Need) throws {
    for index in workers.indices {
      try workers[index].planes.reserve(need.planes, purpose: "the pixels of a search for faces")
      try workers[index].scratch.reserve(need.scratch, purpose: "the maps of a search for faces")
      try workers[index].map.reserve(need.map, purpose: "the maps of a search for faces")
      try workers[index].sums.reserve(need.sums, purpose: "the sums of a search for faces")
    }
  }

  func reserveBatch(features: Int, hidden: Int, outputs: Int) throws {
    try self.features.reserve(features, purpose: "the features of faces")
    try self.hidden.reserve(hidden, purpose: "the features of faces")
    try self.outputs.reserve(outputs, purpose: "the outputs of faces")
  }
}

/// Memory that only grows; what it held is lost then.
struct Reserve<Element: BitwiseCopyable> {
  private var buffer: AlignedBuffer<Element>?

  mutating func reserve(_ count: Int, purpose: @autoclosure () -> String) throws {
    if let buffer, buffer.count >= count { return }
    buffer = nil
    buffer = try AlignedBuffer(count: count, purpose: purpose())
  }

  /// - Throws: `BLANError.internal` before anything was reserved.
  func pointer() throws -> UnsafeMutablePointer<Element> {
    guard let buffer else { throw BLANError.internal("memory of the face detector was not reserved") }
    return buffer.pointer
  }
}

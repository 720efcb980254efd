import BLANInference
import BLANNetwork
import BLANTensors

/// Occlusion maps (Zeiler and Fergus 2014): how much a score falls when a square patch of the image is covered.
///
/// A map's cell is y(image) - y(image with the patch there): above 0 where what is covered speaks for the attribute.
public struct Occlusion: Sendable {
  /// What a patch is filled with.
  public enum Fill: Sendable, Equatable {
    /// The colour that the network's input is normalised by: its zero.
    case modelMean
    /// The image's own mean colour.
    case imageMean
    /// R, G and B on a scale of 0 to 1.
    case color([Float])
  }

  public let size: Int
  /// Side of the patch in pixels of the network's input.
  public let patch: Int
  /// Distance between two neighbouring places; the last one may be nearer, so that the image's edge is covered too.
  public let stride: Int
  public let fill: Fill

  /// - Parameters:
  ///   - size: height and width of the network's input.
  ///   - patch: 1 to `size`; 0 for an eighth of it.
  ///   - stride: 1 to `patch`, so that every pixel is covered at some time; 0 for half of it, rounded up.
  /// - Throws: `BLANError.invalidArgument` that names what is out of range.
  public init(size: Int, patch: Int = 0, stride: Int = 0, fill: Fill = .modelMean) throws {
    guard (0...size).contains(patch) else {
      throw BLANError.invalidArgument(
        "patch is \(patch); expected 1 to \(size), the side of the network's input, or 0 for \(size / 8)")
    }
    let side = patch == 0 ? size / 8 : patch
    guard (0...side).contains(stride) else {
      throw BLANError.invalidArgument(
        "stride is \(stride); expected 1 to \(side), the side of the patch, or 0 for half of it")
    }
    if case .color(let color) = fill {
      guard color.count == 3, color.allSatisfy({ (0...1).contains($0) }) else {
        throw BLANError.invalidArgument("color is \(color); expected three numbers from 0 to 1")
      }
    }
    self.size = size
    self.patch = side
    self.stride = stride == 0 ? (side + 1) / 2 : stride
    self.fill = fill
  }

  /// First row, and first column, of the patch for each row and column of a map.
  public var places: [Int] {
    let last = size - patch
    let count = (last + stride - 1) / stride + 1
    return (0..<count).map { min($0 * stride, last) }
  }

  /// The maps of one image for several targets, all from the same predictions.
  ///
  /// - Parameters:
  ///   - pixels: 3 x S x S normalised floats.
  ///   - maps: n x n floats for each target in turn, n the number of ``places``.
  ///   - values: the targets' scores of the image as it is; may be nil.
  ///   - progress: told of the patches done; returns whether to go on.
  /// - Throws: `BLANError.invalidArgument` for a target that the network does not have; `.cancelled` when `progress` says
  ///   so: `maps` are then unfinished; `.outOfMemory`.
  public func explain(
    _ predictor: Predictor, _ pixels: UnsafePointer<Float>, targets: [ScoreTarget],
    into maps: UnsafeMutablePointer<Float>, values: UnsafeMutablePointer<Float>? = nil,
    progress: (Int) -> Bool = { _ in true }
  ) throws {
    let configuration = predictor.network.configuration
    try ScoreTarget.check(targets, configuration)
    let chunk = Predictor.largestChunk
    let scores = try ScoreRoom(count: chunk, attributes: configuration.attributes.count)
    let floats = 3 * size * size
    let covered = try AlignedBuffer<Float>(count: chunk * floats, purpose: "the occluded images")
    for copy in 0..<chunk { (covered.pointer + copy * floats).update(from: pixels, count: floats) }
    let color = color(pixels, configuration)

    try predictor.predict(pixels, batch: 1, into: scores.outputs)
    let whole = targets.map { scores.value($0, image: 0) }
    for (index, value) in whole.enumerated() { values?[index] = value }

    let places = places
    let count = places.count * places.count
    for first in Swift.stride(from: 0, to: count, by: chunk) {
      let cells = first..<min(first + chunk, count)
      for cell in cells {
        let (row, column) = (places[cell / places.count], places[cell % places.count])
        change(covered.pointer + (cell - first) * floats, row, column) { channel, _ in color[channel] }
      }
      try predictor.predict(covered.pointer, batch: cells.count, into: scores.outputs)
      for cell in cells {
        for (index, target) in targets.enumerated() {
          maps[index * count + cell] = whole[index] - scores.value(target, image: cell - first)
        }
        let (row, column) = (places[cell / places.count], places[cell % places.count])
        change(covered.pointer + (cell - first) * floats, row, column) { _, place in pixels[place] }
      }
      guard progress(cells.upperBound) else {
        throw BLANError.cancelled("the occlusion was cancelled after \(cells.upperBound) of \(count) patches")
      }
    }
  }

  /// Gives the pixels of a patch what `value` (channel, place in the image) says.
  private func change(
    _ image: UnsafeMutablePointer<Float>, _ row: Int, _ column: Int, _ value: (Int, Int) -> Float
  ) {
    for channel in 0..<3 {
      for line in row..<row + patch {
        let start = (channel * size + line) * size
        for place in start + column..<start + column + patch { image[place] = value(channel, place) }
      }
    }
  }

  /// The fill as the network sees it.
  private func color(_ pixels: UnsafePointer<Float>, _ configuration: Configuration) -> [Float] {
    switch fill {
    case .modelMean: return [0, 0, 0]
    case .imageMean:
      return (0..<3).map { channel in
        var sum = 0.0
        for place in 0..<size * size { sum += Double(pixels[channel * size * size + place]) }
        return Float(sum / Double(size * size))
      }
    case .color(let color):
      return (0..<3).map { (color[$0] - configuration.mean[$0]) / configuration.std[$0] }
    }
  }
}

/// Room for what a predictor says of a few images.
private struct ScoreRoom {
  private let attributes: Int
  private let probabilities: AlignedBuffer<Float>
  private let scores: AlignedBuffer<Float>
  private let logits: AlignedBuffer<Float>

  init(count: Int, attributes: Int) throws {
    self.attributes = attributes
    probabilities = try AlignedBuffer(count: count * attributes, purpose: "probabilities")
    scores = try AlignedBuffer(count: count * ScoreTarget.sum * 2 * attributes, purpose: "scores")
    logits = try AlignedBuffer(count: count * 2 * attributes, purpose: "logits")
  }

  var outputs: PredictionOutputs {
    PredictionOutputs(probabilities: probabilities.pointer, scores: scores.pointer, logits: logits.pointer)
  }

  func value(_ target: ScoreTarget, image: Int) -> Float {
    var pair = 2 * target.attribute
    if target.level == ScoreTarget.decision {
      pair += image * 2 * attributes
      return logits.pointer[pair + 1] - logits.pointer[pair]
    }
    pair += (image * ScoreTarget.sum + target.level - 1) * 2 * attributes
    return scores.pointer[pair + 1] - scores.pointer[pair]
  }
}

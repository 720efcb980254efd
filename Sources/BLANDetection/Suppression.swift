/// Non-maximum suppression: of boxes that overlap, the one with the highest score stays.
enum Suppression {
  /// Indices of the boxes that stay, best first. Of equal scores the first is better.
  ///
  /// The overlap is the intersection over the union, as torchvision's `nms` computes it.
  static func overUnion(_ boxes: [Box], scores: [Float], threshold: Double) -> [Int] {
    keep(descending(scores), boxes) { box, other in
      let inside =
        max(0, min(box.x1, other.x1) - max(box.x0, other.x0)) * max(0, min(box.y1, other.y1) - max(box.y0, other.y0))
      return Double(inside / (box.area + other.area - inside)) > threshold
    }
  }

  /// Indices of the boxes that stay, best first. Of equal scores the last is better.
  ///
  /// The overlap is the intersection over the smaller box, both end pixels counted: a box within another goes.
  static func overSmaller(_ boxes: [Box], scores: [Float], threshold: Float) -> [Int] {
    let order = scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }
    return keep(order, boxes) { box, other in
      let width = max(0, min(box.x1, other.x1) - max(box.x0, other.x0) + 1)
      let height = max(0, min(box.y1, other.y1) - max(box.y0, other.y0) + 1)
      return width * height / min(box.inclusiveArea, other.inclusiveArea) > threshold
    }
  }

  /// The `count` best, best first; of equal scores the first.
  static func best(_ count: Int, scores: [Float]) -> [Int] { Array(descending(scores).prefix(count)) }

  private static func descending(_ scores: [Float]) -> [Int] {
    scores.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
  }

  /// - Complexity: boxes times those that stay.
  private static func keep(_ order: [Int], _ boxes: [Box], overlaps: (Box, Box) -> Bool) -> [Int] {
    var rest = order
    var kept: [Int] = []
    while let first = rest.first {
      kept.append(first)
      let box = boxes[first]
      rest = rest.dropFirst().filter { !overlaps(box, boxes[$0]) }
    }
    return kept
  }
}

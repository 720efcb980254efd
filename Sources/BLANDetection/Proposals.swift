import BLANImages
import BLANTensors
import CBLANKernels
import Glibc

/// A box that may hold a face.
struct Candidate: Sendable {
  var box: Box
  var score: Float
  /// What the network adds to the sides of the box, as shares of its width and height.
  var offsets: Box
}

/// The first stage: P-Net over every level of the pyramid.
struct Proposals {
  /// Candidates of one level, and of all together, that are looked at. A photo has a few hundred; more come from noise or
  /// from thresholds near 0, and only the best of them are worth the time.
  static let limit = 4096

  let chain: ConvolutionChain
  let threshold: Float
  let threads: Int

  func find(_ view: ImageView, _ pyramid: Pyramid, _ context: DetectionContext) throws -> [Candidate] {
    let found = try scan(view, pyramid, context)
    var boxes: [Candidate] = []
    for level in pyramid.levels.indices {
      var here: [Placed] = []
      for (tile, candidates) in zip(pyramid.tiles, found) where tile.level == level { here += candidates }
      // The order in which a row after row of the whole level gives them: of equal scores the first stays.
      here.sort { $0.place < $1.place }
      boxes += suppress(here.map(\.candidate), threshold: 0.5)
    }
    return suppress(boxes, threshold: 0.7)
  }

  private func suppress(_ candidates: [Candidate], threshold: Double) -> [Candidate] {
    var candidates = candidates
    if candidates.count > Self.limit {
      candidates = Suppression.best(Self.limit, scores: candidates.map(\.score)).map { candidates[$0] }
    }
    let kept = Suppression.overUnion(
      candidates.map(\.box), scores: candidates.map(\.score), threshold: threshold)
    return kept.map { candidates[$0] }
  }

  /// A candidate and where it stands among the outputs of its level.
  private struct Placed {
    let place: Int
    let candidate: Candidate
  }

  /// The candidates of each tile.
  private func scan(_ view: ImageView, _ pyramid: Pyramid, _ context: DetectionContext) throws -> [[Placed]] {
    var need = DetectionContext.Need()
    for tile in pyramid.tiles {
      var pixels = view.pixels
      var area = area(of: tile, pyramid, view)
      need.planes = max(need.planes, 3 * tile.input.width * tile.input.height)
      need.scratch = max(need.scratch, chain.scratchCount(height: tile.input.height, width: tile.input.width))
      need.map = max(need.map, chain.outputCount(height: tile.input.height, width: tile.input.width))
      need.sums = max(need.sums, blan_k_area_workspace_bytes(&pixels, &area))
    }
    guard !pyramid.tiles.isEmpty else { return [] }
    try context.reserve(need)
    let memory = try context.workers.map { try WorkerMemory($0) }
    return collect(count: pyramid.tiles.count, threads: threads) { index, worker in
      let tile = pyramid.tiles[index]
      let memory = memory[worker]
      var pixels = view.pixels
      var area = area(of: tile, pyramid, view)
      blan_k_area_resample(
        &pixels, &area, memory.planes, tile.input.width, tile.input.width * tile.input.height, memory.sums)
      chain.forward(
        memory.planes, height: tile.input.height, width: tile.input.width, into: memory.map, scratch: memory.scratch)
      return candidates(in: memory.map, of: tile, pyramid.levels[tile.level])
    }
  }

  private func area(of tile: Pyramid.Tile, _ pyramid: Pyramid, _ view: ImageView) -> blan_k_area {
    let level = pyramid.levels[tile.level]
    return blan_k_area(
      PixelRect(x: 0, y: 0, width: view.width, height: view.height), width: level.width, height: level.height,
      part: tile.input)
  }

  /// The outputs of one tile whose score reaches the threshold.
  private func candidates(
    in map: UnsafePointer<Float>, of tile: Pyramid.Tile, _ level: Pyramid.Level
  ) -> [Placed] {
    // The two scores' distance says nearly all; the softmax itself, rounded like the reference's, the rest.
    let nearly = log(threshold / (1 - threshold)) - 0.01
    let scale = Float(level.scale)
    let window = Float(CascadeNetwork.pNet.window)
    var result: [Placed] = []
    for y in 0..<tile.height {
      for x in 0..<tile.width {
        let output = map + (y * tile.width + x) * ChannelBlock.size
        guard output[1] - output[0] >= nearly else { continue }
        let score = probability(output)
        guard score >= threshold else { continue }
        let left = Float(Pyramid.stride * (tile.x + x))
        let top = Float(Pyramid.stride * (tile.y + y))
        let box = Box(
          ((left + 1) / scale).rounded(.down), ((top + 1) / scale).rounded(.down),
          ((left + window) / scale).rounded(.down), ((top + window) / scale).rounded(.down))
        let offsets = Box(output[2], output[3], output[4], output[5])
        result.append(
          Placed(
            place: (tile.y + y) * level.outputWidth + tile.x + x,
            candidate: Candidate(box: box, score: score, offsets: offsets)))
      }
    }
    return result
  }
}

/// The probability of a face by the softmax of the two scores.
func probability(_ scores: UnsafePointer<Float>) -> Float {
  let most = max(scores[0], scores[1])
  let no = exp(scores[0] - most)
  let yes = exp(scores[1] - most)
  return yes / (no + yes)
}

/// Where one worker works, for closures that run on several threads.
struct WorkerMemory: @unchecked Sendable {
  let planes: UnsafeMutablePointer<Float>
  let scratch: UnsafeMutablePointer<Float>
  let map: UnsafeMutablePointer<Float>
  let sums: UnsafeMutablePointer<UInt8>

  init(_ worker: DetectionContext.Worker) throws {
    planes = try worker.planes.pointer()
    scratch = try worker.scratch.pointer()
    map = try worker.map.pointer()
    sums = try worker.sums.pointer()
  }
}

extension blan_k_area {
  /// - Parameters:
  ///   - region: of the image; it becomes `width` x `height` pixels.
  ///   - part: of these, the pixels that are wanted.
  init(_ region: PixelRect, width: Int, height: Int, part: PixelRect) {
    self.init(
      in_x: region.x, in_y: region.y, in_width: region.width, in_height: region.height, out_width: width,
      out_height: height, x: part.x, y: part.y, width: part.width, height: part.height, offset: 127.5,
      factor: 0.0078125)
  }
}

/// Runs `count` tasks and returns their results, in order.
///
/// - Parameter task: gets the task's index and the worker's; runs on several threads at once.
func collect<Result>(count: Int, threads: Int, _ task: (_ index: Int, _ worker: Int) -> Result) -> [Result] {
  Array(unsafeUninitializedCapacity: count) { buffer, initialized in
    nonisolated(unsafe) let buffer = buffer
    parallelFor(threads: threads, count: count) { index, worker in
      buffer.initializeElement(at: index, to: task(index, worker))
    }
    initialized = count
  }
}

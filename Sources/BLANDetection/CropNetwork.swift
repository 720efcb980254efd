import BLANImages
import BLANTensors
import CBLANKernels

/// R-Net or O-Net: looks at crops of the image, each reduced or enlarged to the network's window.
final class CropNetwork: Sendable {
  /// Crops worked on at once; more are cut up, which bounds memory.
  static let largestChunk = 256

  let head: DenseHead
  private let chain: ConvolutionChain
  private let side: Int

  init(_ network: CascadeNetwork, _ source: some TensorSource) throws {
    guard let dense = network.dense else {
      throw BLANError.internal("\(network.prefix) has no fully connected layer")
    }
    side = network.window
    chain = try ConvolutionChain(network, source)
    head = try DenseHead(network, dense, source)
  }

  /// The heads' outputs for each crop: `head.outputs` numbers each.
  func run(_ view: ImageView, _ crops: [PixelRect], _ context: DetectionContext, threads: Int) throws -> [[Float]] {
    var results: [[Float]] = []
    for first in stride(from: 0, to: crops.count, by: Self.largestChunk) {
      results += try chunk(view, crops[first..<min(first + Self.largestChunk, crops.count)], context, threads)
    }
    return results
  }

  private func chunk(
    _ view: ImageView, _ crops: ArraySlice<PixelRect>, _ context: DetectionContext, _ threads: Int
  ) throws -> [[Float]] {
    let whole = PixelRect(x: 0, y: 0, width: side, height: side)
    let areas = crops.map { blan_k_area($0, width: side, height: side, part: whole) }
    try reserve(view, areas, context)
    let memory = try context.workers.map { try WorkerMemory($0) }
    let features = try context.features.pointer()
    let outputs = try context.outputs.pointer()
    let mapCount = chain.outputCount(height: side, width: side)
    _ = collect(count: areas.count, threads: threads) { index, worker in
      let memory = memory[worker]
      var pixels = view.pixels
      var area = areas[index]
      blan_k_area_resample(&pixels, &area, memory.planes, side, side * side, memory.sums)
      chain.forward(
        memory.planes, height: side, width: side, into: features + index * mapCount, scratch: memory.scratch)
    }
    head.forward(
      count: areas.count, features, hiddenRows: try context.hidden.pointer(), into: outputs, threads: threads)
    return areas.indices.map { row in
      Array(UnsafeBufferPointer(start: outputs + row * head.outputStep, count: head.outputs))
    }
  }

  private func reserve(_ view: ImageView, _ areas: [blan_k_area], _ context: DetectionContext) throws {
    var pixels = view.pixels
    var need = DetectionContext.Need()
    need.planes = 3 * side * side
    need.scratch = chain.scratchCount(height: side, width: side)
    for var area in areas { need.sums = max(need.sums, blan_k_area_workspace_bytes(&pixels, &area)) }
    try context.reserve(need)
    try context.reserveBatch(
      features: areas.count * chain.outputCount(height: side, width: side), hidden: areas.count * head.hidden,
      outputs: areas.count * head.outputStep)
  }
}

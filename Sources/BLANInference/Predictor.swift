import BLANNetwork
import BLANTensors
import CBLANKernels

/// A network ready to predict: its plan, its packed weights, and a pool of memory for calls.
///
/// It never changes, so any number of threads may predict with one at the same time; each call works on `threads`
/// threads. Results depend neither on that number nor on which images share a batch.
public final class Predictor: @unchecked Sendable {
  /// Images worked on at once; larger batches are cut up, which bounds memory.
  public static let largestChunk = 8

  public let network: Network
  public let threads: Int
  public let precision: Precision
  let plan: InferencePlan
  let packed: [PackedStep]
  private let fusion: ScoreFusion
  private let pool = ContextPool<ExecutionContext>()

  /// - Parameters:
  ///   - source: the weights; read once and not kept.
  ///   - threads: 1 to 1024; 0 for ``ThreadBudget/automatic()``.
  ///   - precision: what convolutions and linear layers compute with; for `.int8` the source has the convolutions'
  ///     ranges too.
  ///   - temperatures: of each attribute; 1 where nil.
  ///   - keeping: nodes of the graph whose maps `run` can read out, beside the usual outputs.
  /// - Throws: what the source throws of a missing or misshapen tensor, and `BLANError.outOfMemory`.
  public init(
    configuration: Configuration, source: some TensorSource, threads: Int, precision: Precision = .float32,
    temperatures: [Float]? = nil,
    keeping: (Network) -> [NodeID] = { _ in [] }
  ) throws {
    network = Network(configuration)
    self.threads = try ThreadBudget.resolve(threads)
    self.precision = precision
    plan = try InferencePlan(network, keeping: keeping(network))
    let packer = WeightPacker(source: source, threads: Int32(self.threads), precision: precision)
    packed = try plan.steps.map { try packer.pack($0) }
    fusion = try ScoreFusion(network, source, temperatures: temperatures)
  }

  /// Predicts `batch` images.
  ///
  /// - Parameters:
  ///   - pixels: batch x 3 x S x S normalised floats.
  ///   - outputs: where results go; see ``PredictionOutputs``.
  /// - Throws: `BLANError.outOfMemory` when a context cannot be made; nothing is written then.
  public func predict(_ pixels: UnsafePointer<Float>, batch: Int, into outputs: PredictionOutputs) throws {
    let imageFloats = network.graph[network.pixels].shape.count
    try predict(batch: batch, into: outputs) { _, first, _ in pixels + first * imageFloats }
  }

  /// Predicts `batch` images whose pixels `source` (context, first image, count) gives for one chunk after another.
  func predict(
    batch: Int, into outputs: PredictionOutputs,
    source: (ExecutionContext, Int, Int) throws -> UnsafePointer<Float>
  ) throws {
    try run(batch: batch, source: source) { context, first, count in
      write(context, count, to: outputs.advanced(by: first, network))
    }
  }

  /// Runs the plan over chunks of the batch and shows each chunk's memory to `body` (context, first image, count).
  func run(
    batch: Int, source: (ExecutionContext, Int, Int) throws -> UnsafePointer<Float>,
    afterStep: ((Int, StepExecution) -> Void)? = nil, _ body: (ExecutionContext, Int, Int) -> Void
  ) throws {
    guard batch > 0 else { return }
    let chunk = min(batch, Self.largestChunk)
    try pool.withContext {
      $0.capacity >= chunk
    } make: {
      try ExecutionContext(
        capacity: chunk, imageFloats: network.graph[network.pixels].shape.count, plan: plan, packed: packed,
        threads: threads)
    } body: { context in
      var first = 0
      while first < batch {
        let count = min(chunk, batch - first)
        let execution = StepExecution(
          plan: plan, context: context, batch: count, pixels: try source(context, first, count),
          threads: Int32(threads))
        for index in plan.steps.indices {
          execution.run(plan.steps[index], packed[index])
          afterStep?(index, execution)
        }
        body(context, first, count)
        first += count
      }
    }
  }

  private func write(_ context: ExecutionContext, _ count: Int, to outputs: PredictionOutputs) {
    let attributes = network.configuration.attributes.count
    let stride = ChannelBlock.padded(2 * attributes)
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: Network.levelCount) { scores in
      for image in 0..<count {
        for (index, level) in network.levels.enumerated() {
          let source = pointer(to: level.classification.scores, in: context, batch: count)
          scores.initializeElement(at: index, to: UnsafePointer(source + image * stride))
        }
        fusion.run(
          scores: UnsafeBufferPointer(scores), probabilities: outputs.probabilities + image * attributes,
          scoresOut: outputs.scores.map { $0 + image * ScoreFusion.levels * 2 * attributes },
          logitsOut: outputs.logits.map { $0 + image * 2 * attributes })
      }
    }
    if let embeddings = outputs.embeddings { copyEmbeddings(context, count, to: embeddings) }
    if let attention = outputs.attention { copyAttention(context, count, to: attention) }
  }

  private func copyEmbeddings(_ context: ExecutionContext, _ count: Int, to out: UnsafeMutablePointer<Float>) {
    let size = embeddingSize
    for (index, level) in network.levels.enumerated() {
      let source = pointer(to: level.classification.embedding, in: context, batch: count)
      for image in 0..<count {
        (out + (image * Network.levelCount + index) * size)
          .update(from: source + image * ChannelBlock.padded(size), count: size)
      }
    }
  }

  private func copyAttention(_ context: ExecutionContext, _ count: Int, to out: UnsafeMutablePointer<Float>) {
    let total = attentionSizes.reduce(0) { $0 + $1 * $1 }
    var offset = 0
    for level in network.levels {
      guard let gate = level.attention?.spatialGate else { continue }
      let area = network.graph[gate].shape.area
      let source = pointer(to: gate, in: context, batch: count)
      for image in 0..<count { (out + image * total + offset).update(from: source + image * area, count: area) }
      offset += area
    }
  }

  /// Marks the outputs of one image as missing.
  func fillWithNaN(_ outputs: PredictionOutputs) {
    let attributes = network.configuration.attributes.count
    outputs.probabilities.update(repeating: .nan, count: attributes)
    outputs.scores?.update(repeating: .nan, count: ScoreFusion.levels * 2 * attributes)
    outputs.logits?.update(repeating: .nan, count: 2 * attributes)
    outputs.embeddings?.update(repeating: .nan, count: Network.levelCount * embeddingSize)
    outputs.attention?.update(repeating: .nan, count: attentionSizes.reduce(0) { $0 + $1 * $1 })
  }

  /// First float of a node's map; the plan gives every node that is asked for a buffer.
  func pointer(to node: NodeID, in context: ExecutionContext, batch: Int) -> UnsafeMutablePointer<Float> {
    let buffer = plan.buffer(of: node)?.index ?? 0
    return context.arena.pointer + plan.arena.offsets[buffer] * batch
  }

  /// Numbers in T_i.
  public var embeddingSize: Int { network.graph[network.levels[0].classification.embedding].shape.channels }

  /// Height and width of each spatial attention map, shallowest first; empty where the variant has none.
  public var attentionSizes: [Int] {
    network.levels.compactMap { $0.attention.map { network.graph[$0.spatialGate].shape.height } }
  }
}

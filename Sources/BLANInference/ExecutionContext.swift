import BLANImages
import BLANTensors
import CBLANKernels

/// The memory of one call in flight: the maps of up to `capacity` images and the kernels' workspace.
final class ExecutionContext: @unchecked Sendable {
  let capacity: Int
  let arena: AlignedBuffer<Float>
  let workspace: AlignedBuffer<Float>
  /// One for each worker that prepares images.
  let resizeScratch: [ResizeScratch]
  private let imageFloats: Int
  private var pixels: AlignedBuffer<Float>?

  init(capacity: Int, imageFloats: Int, plan: InferencePlan, packed: [PackedStep], threads: Int) throws {
    self.capacity = capacity
    self.imageFloats = imageFloats
    resizeScratch = (0..<threads).map { _ in ResizeScratch() }
    arena = try AlignedBuffer(count: plan.arena.size * capacity, purpose: "the maps of \(capacity) images")
    var floats = 0
    // A smaller batch may be cut up in another way, which needs its own amount.
    for batch in 1...capacity {
      for (step, weights) in zip(plan.steps, packed) {
        floats = max(floats, workspaceCount(step, weights, batch: batch, threads: Int32(threads)))
      }
    }
    workspace = try AlignedBuffer(count: floats, purpose: "the kernels' workspace")
  }

  /// Room for the prepared pixels of `capacity` images, made when it is first wanted.
  func preparedPixels() throws -> UnsafeMutablePointer<Float> {
    if let pixels { return pixels.pointer }
    let made = try AlignedBuffer<Float>(count: imageFloats * capacity, purpose: "the pixels of \(capacity) images")
    pixels = made
    return made.pointer
  }
}

private func workspaceCount(_ step: InferenceStep, _ packed: PackedStep, batch: Int, threads: Int32) -> Int {
  switch (step, packed) {
  case (.stem, .stem(var shape, _, _)):
    shape.batch = batch
    return blan_k_stem_pool_workspace_count(&shape, threads)
  case (.stem, .lowStem(var shape, let precision, _, _)):
    shape.batch = batch
    return floatCount(bytes: blan_k_low_stem_pool_workspace_bytes(&shape, precision, threads))
  case (.convolution, .convolution(var shape, let method, _, _)):
    shape.batch = batch
    return blan_k_conv_workspace_count(&shape, method, threads)
  case (.convolution, .lowConvolution(var shape, let method, let precision, _, _)):
    shape.batch = batch
    return floatCount(bytes: blan_k_low_conv_workspace_bytes(&shape, method, precision, threads))
  case (.channelGate(_, let input, _), .channelGate(let mlp)):
    var map = blan_k_map(data: nil, batch: batch, shape: input.shape)
    var described = blan_k_channel_mlp(mlp)
    return blan_k_channel_gate_workspace_count(&map, &described)
  case (.spatialGate(_, let input, _), _):
    var map = blan_k_map(data: nil, batch: batch, shape: input.shape)
    return blan_k_spatial_gate_workspace_count(&map)
  default:
    return 0
  }
}

private func floatCount(bytes: Int) -> Int { (bytes + MemoryLayout<Float>.size - 1) / MemoryLayout<Float>.size }

extension blan_k_map {
  package init(data: UnsafePointer<Float>?, batch: Int, shape: TensorShape) {
    self.init(data: data, batch: batch, channels: shape.channels, height: shape.height, width: shape.width)
  }
}

extension blan_k_channel_mlp {
  init(_ mlp: PackedStep.ChannelMLP) {
    self.init(
      fc1_weight: mlp.fc1Weight.pointer, fc1_bias: mlp.fc1Bias.pointer, fc2_weight: mlp.fc2Weight.pointer,
      fc2_bias: mlp.fc2Bias.pointer, hidden: mlp.hidden)
  }
}

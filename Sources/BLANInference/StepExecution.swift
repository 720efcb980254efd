import BLANNetwork
import BLANTensors
import CBLANKernels

/// Runs the steps of a plan over the images of one chunk.
struct StepExecution {
  let plan: InferencePlan
  let context: ExecutionContext
  let batch: Int
  let pixels: UnsafePointer<Float>
  let threads: Int32

  func run(_ step: InferenceStep, _ packed: PackedStep) {
    let workspace = context.workspace.pointer
    switch (step, packed) {
    case (.stem(let out, _), .stem(var shape, let weights, let bias)):
      shape.batch = batch
      blan_k_stem_pool_forward(
        &shape, pointer(out), pixels, weights.pointer, bias.pointer, workspace, threads)
    case (.stem(let out, _), .lowStem(var shape, let precision, let weights, let bias)):
      shape.batch = batch
      blan_k_low_stem_pool_forward(
        &shape, precision, pointer(out), pixels, weights.pointer, bias.pointer, workspace, threads)
    case (.convolution(let out, let fused), .convolution(var shape, let method, let weights, let bias)):
      shape.batch = batch
      blan_k_conv_forward(
        &shape, method, pointer(out), pointer(fused.inputs[0].buffer),
        fused.inputs.count > 1 ? pointer(fused.inputs[1].buffer) : nil, weights.pointer, bias?.pointer,
        fused.residual.map { pointer($0) }, fused.relu, workspace, threads)
    case (
      .convolution(let out, let fused), .lowConvolution(var shape, let method, let precision, let weights, let bias)
    ):
      shape.batch = batch
      blan_k_low_conv_forward(
        &shape, method, precision, pointer(out), pointer(fused.inputs[0].buffer),
        fused.inputs.count > 1 ? pointer(fused.inputs[1].buffer) : nil, weights.pointer, bias?.pointer,
        fused.residual.map { pointer($0) }, fused.relu, workspace, threads)
    case (.channelGate(let out, let input, _), .channelGate(let mlp)):
      var map = described(input)
      var layers = blan_k_channel_mlp(mlp)
      blan_k_channel_gate(
        &map, input.locationGate.map { pointer($0) }, &layers, pointer(out), workspace, threads)
    case (.spatialGate(let out, let input, _), .spatialGate(let weights)):
      var map = described(input)
      blan_k_spatial_gate(
        &map, input.channelGate.map { pointer($0) }, weights.pointer, pointer(out), workspace, threads)
    case (.attend(let out, let input, let residual), _):
      var map = described(input)
      blan_k_attend(
        &map, input.channelGate.map { pointer($0) }, input.locationGate.map { pointer($0) },
        residual.map { pointer($0) }, pointer(out), threads)
    case (.linear(let out, let input, let shape, let layer), .linear(let weights, let bias)):
      blan_k_linear_forward(
        batch, shape.blockedCount, layer.outputs, pointer(out), ChannelBlock.padded(layer.outputs), pointer(input),
        weights.pointer, bias.pointer, threads)
    case (.linear(let out, let input, let shape, let layer), .lowLinear(let precision, let weights, let bias)):
      blan_k_low_linear_forward(
        batch, shape.blockedCount, layer.outputs, pointer(out), ChannelBlock.padded(layer.outputs), pointer(input),
        precision, weights.pointer, bias.pointer, threads)
    default:
      break  // steps and packed weights are made together and always of one kind
    }
  }

  func pointer(_ buffer: BufferID) -> UnsafeMutablePointer<Float> {
    context.arena.pointer + plan.arena.offsets[buffer.index] * batch
  }

  private func described(_ input: GatedMap) -> blan_k_map {
    blan_k_map(data: pointer(input.map), batch: batch, shape: input.shape)
  }
}

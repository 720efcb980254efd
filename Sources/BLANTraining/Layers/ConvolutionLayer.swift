import BLANNetwork
import BLANTensors
import CBLANKernels

/// A convolution of one map or of two that are read as their concatenation, either of them enlarged while it is read.
struct ConvolutionLayer: TrainingLayer {
  let out: MapID
  let sources: [EnlargedMap]
  let convolution: Convolution
  let weight: ParameterStore.Slot
  let bias: ParameterStore.Slot?
  /// Of one image.
  private let shape: blan_k_conv_shape

  init(
    out: MapID, sources: [EnlargedMap], convolution: Convolution, weight: ParameterStore.Slot,
    bias: ParameterStore.Slot?
  ) {
    self.out = out
    self.sources = sources
    self.convolution = convolution
    self.weight = weight
    self.bias = bias
    let channels = convolution.inputChannels
    shape = blan_k_conv_shape(
      batch: 1, in_channels: (channels[0], channels.count > 1 ? channels[1] : 0),
      in_upsample: (sources[0].factor, sources.count > 1 ? sources[1].factor : 1),
      in_height: sources[0].shape.height * sources[0].factor, in_width: sources[0].shape.width * sources[0].factor,
      out_channels: convolution.outputChannels, kernel: convolution.kernel, stride: convolution.stride,
      padding: convolution.padding)
  }

  var output: MapID? { out }
  var inputs: [MapID] { sources.map(\.map) }
  var keptForBackward: [MapID] { sources.map(\.map) }
  var differentiated: [MapID] { sources.map(\.map) }
  var parameters: [ParameterStore.Slot] { [weight] + (bias.map { [$0] } ?? []) }

  private func shape(_ batch: Int) -> blan_k_conv_shape {
    var shape = shape
    shape.batch = batch
    return shape
  }

  func workspaceCount(batch: Int, threads: Int32) -> Int {
    var shape = shape(batch)
    let forward = blan_k_conv_choose(&shape)
    let backward = blan_k_conv_backward_choose(&shape)
    return max(
      ChannelBlock.padded(blan_k_conv_packed_count(&shape, forward))
        + blan_k_conv_workspace_count(&shape, forward, threads),
      ChannelBlock.padded(blan_k_conv_backward_packed_count(&shape, backward))
        + blan_k_conv_backward_workspace_count(&shape, backward, threads),
      blan_k_conv_backward_weights_workspace_count(&shape, threads))
  }

  func forward(_ run: LayerRun) {
    var shape = shape(run.batch)
    let method = blan_k_conv_choose(&shape)
    let packed = run.workspace
    blan_k_conv_pack(&shape, method, run.values(weight), nil, packed, run.threads)
    blan_k_conv_forward(
      &shape, method, run.values(out), run.values(sources[0].map),
      sources.count > 1 ? run.values(sources[1].map) : nil, packed, bias.map { run.values($0) }, nil, false,
      packed + ChannelBlock.padded(blan_k_conv_packed_count(&shape, method)), run.threads)
  }

  func backward(_ run: LayerRun) {
    var shape = shape(run.batch)
    let dOut = run.gradient(out)
    let second = sources.count > 1 ? sources[1].map : nil
    if parameters.contains(where: { run.isTrained($0) }) {
      blan_k_conv_backward_weights(
        &shape, run.gradient(weight), bias.map { run.gradient($0) }, run.accumulate, run.values(sources[0].map),
        second.map { run.values($0) }, dOut, run.workspace, run.threads)
    }
    let first = run.target(sources[0].map)
    let other = second.flatMap { run.target($0) }
    guard first != nil || other != nil else { return }
    let method = blan_k_conv_backward_choose(&shape)
    let packed = run.workspace
    blan_k_conv_backward_pack(&shape, method, run.values(weight), packed, run.threads)
    blan_k_conv_backward_data(
      &shape, method, first?.pointer, other?.pointer, first?.accumulate ?? false, other?.accumulate ?? false, dOut,
      packed, packed + ChannelBlock.padded(blan_k_conv_backward_packed_count(&shape, method)), run.threads)
  }
}

import BLANNetwork
import BLANTensors

/// A map of the graph in the arena.
struct BufferID: Hashable { let index: Int }

/// A map with the gates that multiply it, which nobody has multiplied yet.
struct GatedMap {
  var map: BufferID
  let shape: TensorShape
  var channelGate: BufferID?
  var locationGate: BufferID?
}

/// One kernel call. Batch norms, ReLUs, sums, concatenations and enlargements of the graph have become parts of the
/// convolutions beside them.
enum InferenceStep {
  /// The stem with its ReLU and max-pool, from pixels.
  case stem(out: BufferID, Stem)
  case convolution(out: BufferID, FusedConvolution)
  case channelGate(out: BufferID, input: GatedMap, ChannelGate)
  case spatialGate(out: BufferID, input: GatedMap, SpatialGate)
  /// input · gates + residual.
  case attend(out: BufferID, input: GatedMap, residual: BufferID?)
  case linear(out: BufferID, input: BufferID, inputShape: TensorShape, Linear)

  struct Stem {
    let convolution: Convolution
    let batchNorm: BatchNorm
    let inputSize: Int
  }

  struct FusedConvolution {
    struct Input {
      let buffer: BufferID
      /// Factor by which the map is enlarged while it is read.
      let upsample: Int
    }
    let convolution: Convolution
    let batchNorm: BatchNorm?
    let inputs: [Input]
    let residual: BufferID?
    let relu: Bool
    let inputHeight: Int
    let inputWidth: Int
    let outputShape: TensorShape
  }

  var output: BufferID {
    switch self {
    case .stem(let out, _), .convolution(let out, _), .channelGate(let out, _, _), .spatialGate(let out, _, _),
      .attend(let out, _, _), .linear(let out, _, _, _):
      return out
    }
  }

  var inputs: [BufferID] {
    switch self {
    case .stem: return []
    case .convolution(_, let step): return step.inputs.map(\.buffer) + (step.residual.map { [$0] } ?? [])
    case .channelGate(_, let input, _), .spatialGate(_, let input, _): return input.buffers
    case .attend(_, let input, let residual): return input.buffers + (residual.map { [$0] } ?? [])
    case .linear(_, let input, _, _): return [input]
    }
  }
}

extension GatedMap {
  var buffers: [BufferID] { [map] + [channelGate, locationGate].compactMap { $0 } }
}

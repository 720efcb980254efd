import BLANNetwork
import BLANTensors
import CBLANKernels
import Glibc

extension Predictor {
  /// Time and cost of one step of the plan, for all images of the call.
  public struct StepTime: Sendable {
    /// The part of the network, such as `encoder.layer1`.
    public let module: String
    /// What ran, with its shape and method.
    public let step: String
    public let seconds: Double
    /// Floating-point operations, two to a multiply-accumulate, as a direct convolution counts them.
    public let operations: Double
    /// Bytes of the maps and weights that the step touches, each once.
    public let bytes: Double
  }

  /// Predicts `batch` images once and times every step.
  ///
  /// - Parameters:
  ///   - pixels: batch x 3 x S x S normalised floats.
  ///   - batch: 1 to ``largestChunk``: the steps of one chunk.
  /// - Throws: `BLANError.invalidArgument` for another batch, `BLANError.outOfMemory`.
  public func profile(_ pixels: UnsafePointer<Float>, batch: Int) throws -> [StepTime] {
    guard (1...Self.largestChunk).contains(batch) else {
      throw BLANError.invalidArgument("batch is \(batch); expected 1 to \(Self.largestChunk)")
    }
    var times: [StepTime] = []
    var last = Self.now()
    let record = { (index: Int, _: StepExecution) in
      let now = Self.now()
      let step = self.plan.steps[index]
      times.append(
        StepTime(
          module: self.plan.modules[index], step: self.description(index), seconds: now - last,
          operations: self.operations(step) * Double(batch), bytes: self.bytes(index, batch)))
      last = Self.now()
    }
    let source = { (_: ExecutionContext, _: Int, _: Int) in
      last = Self.now()
      return pixels
    }
    try run(batch: batch, source: source, afterStep: record) { _, _, _ in }
    return times
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func description(_ index: Int) -> String {
    switch (plan.steps[index], packed[index]) {
    case (.convolution(_, let fused), .convolution(_, let method, _, _)),
      (.convolution(_, let fused), .lowConvolution(_, let method, _, _, _)):
      let layer = fused.convolution
      let channels = layer.inputChannels.map(String.init).joined(separator: "+")
      return "conv \(layer.kernel)x\(layer.kernel) s\(layer.stride) \(channels)->\(layer.outputChannels) at "
        + "\(fused.inputHeight)x\(fused.inputWidth), \(method.name)"
    case (.channelGate(_, _, let gate), _): return "channel gate \(gate.channels)"
    case (.spatialGate, _): return "spatial gate"
    case (.attend, _): return "gated sum"
    case (.linear(_, _, _, let layer), _): return "linear \(layer.inputs)->\(layer.outputs)"
    case (.stem, .stem): return "stem 7x7 s2 + pool, F(3x3, 4x4)"
    default: return "stem 7x7 s2 + pool"
    }
  }

  /// For one image.
  private func operations(_ step: InferenceStep) -> Double {
    let products: Int
    switch step {
    case .stem(_, let stem):
      let side = stem.inputSize / 2
      products = stem.convolution.parameterCount * side * side
    case .convolution(_, let fused): products = fused.convolution.parameterCount * fused.outputShape.area
    case .linear(_, _, _, let layer): products = layer.inputs * layer.outputs
    case .channelGate(_, _, let gate): products = 4 * gate.channels * gate.hidden
    case .spatialGate(_, let input, _): products = 2 * SpatialGate.kernel * SpatialGate.kernel * input.shape.area
    case .attend: products = 0
    }
    return 2 * Double(products)
  }

  private func bytes(_ index: Int, _ batch: Int) -> Double {
    let step = plan.steps[index]
    var floats = (step.inputs + [step.output]).reduce(0) { $0 + plan.counts[$1.index] } * batch
    if case .stem = step { floats += network.graph[network.pixels].shape.count * batch }
    switch packed[index] {
    case .stem(_, let weights, _), .convolution(_, _, let weights, _), .linear(let weights, _): floats += weights.count
    case .lowStem(_, _, let weights, _), .lowConvolution(_, _, _, let weights, _), .lowLinear(_, let weights, _):
      return Double(floats * MemoryLayout<Float>.stride + weights.count)
    case .channelGate, .spatialGate, .attend: break
    }
    return Double(floats * MemoryLayout<Float>.stride)
  }
}

extension Convolution {
  /// Weights of all taps.
  fileprivate var parameterCount: Int { inputChannels.reduce(0, +) * outputChannels * kernel * kernel }
}

extension blan_k_conv_method {
  fileprivate var name: String {
    switch self {
    case BLAN_K_CONV_WINOGRAD2: return "F(2x2)"
    case BLAN_K_CONV_WINOGRAD4: return "F(4x4)"
    case BLAN_K_CONV_WINOGRAD4_TAPS: return "F(4x4) from taps"
    case BLAN_K_CONV_WINOGRAD4_STRIDED: return "F(4x4) of stride 2"
    default: return "direct"
    }
  }
}

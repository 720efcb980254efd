import BLANNetwork
import CBLANKernels
import Glibc

extension Predictor {
  /// Time of one step of the plan.
  public struct StepTime: Sendable {
    /// The part of the network, such as `encoder.layer1`.
    public let module: String
    /// What ran, with its shape and method.
    public let step: String
    public let seconds: Double
  }

  /// Predicts `batch` images once and times every step.
  public func profile(_ pixels: UnsafePointer<Float>, batch: Int) throws -> [StepTime] {
    var times: [StepTime] = []
    var last = Self.now()
    let record = { (index: Int) in
      let now = Self.now()
      times.append(StepTime(module: self.plan.modules[index], step: self.description(index), seconds: now - last))
      last = Self.now()
    }
    let imageFloats = network.graph[network.pixels].shape.count
    let source = { (_: ExecutionContext, first: Int, _: Int) in pixels + first * imageFloats }
    try run(batch: batch, source: source, timing: record) { _, _, _ in }
    return times
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func description(_ index: Int) -> String {
    switch plan.steps[index] {
    case .stem: return "stem 7x7 s2 + pool"
    case .convolution(_, let fused):
      let layer = fused.convolution
      let channels = layer.inputChannels.map(String.init).joined(separator: "+")
      return "conv \(layer.kernel)x\(layer.kernel) s\(layer.stride) \(channels)->\(layer.outputChannels) at "
        + "\(fused.inputHeight)x\(fused.inputWidth)"
    case .channelGate(_, _, let gate): return "channel gate \(gate.channels)"
    case .spatialGate: return "spatial gate"
    case .attend: return "gated sum"
    case .linear(_, _, _, let layer): return "linear \(layer.inputs)->\(layer.outputs)"
    }
  }
}

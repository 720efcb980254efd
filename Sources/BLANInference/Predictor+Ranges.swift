import BLANNetwork
import BLANTensors
import CBLANKernels

extension Predictor {
  /// Measures how far the inputs of each convolution reach on some images, computed in f32: what rounding
  /// them to eight bits must cover.
  ///
  /// - Parameter pixels: batch x 3 x S x S normalised floats.
  /// - Returns: by `Convolution.ranges`, numbers in the shape of `Convolution.rangesShape`.
  public func ranges(_ pixels: UnsafePointer<Float>, batch: Int) throws -> [String: [Float]] {
    var ranges: [String: [Float]] = [:]
    let imageFloats = network.graph[network.pixels].shape.count
    let measure = { (index: Int, execution: StepExecution) in
      if case .stem(_, let stem) = self.plan.steps[index] {
        ranges[stem.convolution.ranges] = Self.largest(
          execution.pixels, planes: 3, area: stem.inputSize * stem.inputSize, batch: execution.batch,
          ranges[stem.convolution.ranges])
      }
      guard case .convolution(_, let fused) = self.plan.steps[index] else { return }
      let layer = fused.convolution
      let channels = layer.rangesShape[1]
      var shape = fused.kernelShape
      shape.batch = execution.batch
      let second = fused.inputs.count > 1 ? execution.pointer(fused.inputs[1].buffer) : nil
      ranges[layer.ranges, default: [Float](repeating: 0, count: layer.rangesShape.reduce(1, *))]
        .withUnsafeMutableBufferPointer { values in
          guard let values = values.baseAddress else { return }
          let first = execution.pointer(fused.inputs[0].buffer)
          blan_k_low_conv_ranges(&shape, BLAN_K_CONV_DIRECT, values, first, second, execution.threads)
          guard layer.rangesShape[0] > 1 else { return }
          blan_k_low_conv_ranges(
            &shape, BLAN_K_CONV_WINOGRAD2, values + channels, first, second, execution.threads)
        }
    }
    try run(
      batch: batch, source: { _, first, _ in pixels + first * imageFloats }, afterStep: measure, { _, _, _ in })
    return ranges
  }

  /// The largest magnitude of each plane, and of what was known before.
  private static func largest(
    _ pixels: UnsafePointer<Float>, planes: Int, area: Int, batch: Int, _ before: [Float]?
  ) -> [Float] {
    (0..<planes).map { plane in
      (0..<batch).reduce(before?[plane] ?? 0) { most, image in
        UnsafeBufferPointer(start: pixels + (image * planes + plane) * area, count: area)
          .reduce(most) { max($0, abs($1)) }
      }
    }
  }
}

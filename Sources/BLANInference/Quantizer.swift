import BLANTensors
import BLANWeights

/// Makes a model of reduced precision of another one.
public enum Quantizer {
  /// Writes the model, without training heads, with weights stored in `precision`, which the new file also asks to be
  /// computed with. Atomic; `path` may be the model's own.
  ///
  /// - Parameters:
  ///   - precision: `.bfloat16` or `.int8`.
  ///   - pixels: batch x 3 x S x S normalised floats of images like those to come, to calibrate int8 with; bf16 needs
  ///     none.
  /// - Throws: `BLANError.invalidArgument` for f32, and for int8 without images.
  public static func quantize(
    _ model: ModelFile, _ precision: Precision, calibration pixels: UnsafePointer<Float>?, batch: Int, threads: Int,
    to path: String
  ) throws {
    switch precision {
    case .float32:
      throw BLANError.invalidArgument("precision is f32; expected bf16 or int8")
    case .bfloat16:
      try model.writeQuantised(.bfloat16, ranges: [:], to: path)
    case .int8:
      guard let pixels, batch > 0 else {
        throw BLANError.invalidArgument("int8 needs images to calibrate with")
      }
      let count = 3 * model.description.configuration.inputSize * model.description.configuration.inputSize
      guard UnsafeBufferPointer(start: pixels, count: batch * count).allSatisfy(\.isFinite) else {
        throw BLANError.invalidArgument("the images to calibrate with have pixels that are not finite")
      }
      let predictor = try Predictor(
        configuration: model.description.configuration, source: model, threads: threads)
      let ranges = try predictor.ranges(pixels, batch: batch)
      for (name, values) in ranges where !values.allSatisfy(\.isFinite) {
        throw BLANError.invalidArgument("\(name): the images lead to numbers that are not finite")
      }
      try model.writeQuantised(.int8, ranges: ranges, to: path)
    }
  }
}

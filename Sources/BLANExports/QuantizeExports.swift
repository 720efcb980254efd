import BLANInference
import BLANTensors
import BLANWeights
import CBLAN

extension blan_quantize_options: Options {
  static var defaults: Self {
    Self(
      struct_size: MemoryLayout<Self>.size, precision: blan_precision(BLAN_PRECISION_INT8), pixels: nil, batch: 0,
      threads: 0)
  }
}

@_cdecl("blan_quantize")
public func quantize(
  _ modelPath: UnsafePointer<CChar>?, _ options: UnsafePointer<blan_quantize_options>?,
  _ outPath: UnsafePointer<CChar>?
) -> blan_status {
  guarded {
    let outPath = try path(outPath, "out_path")
    let given = try blan_quantize_options.read(options)
    guard let precision = Precision(given.precision) else {
      throw BLANError.invalidArgument("precision is \(given.precision); expected BLAN_PRECISION_BF16 or _INT8")
    }
    let model = try ModelFile(path: readablePath(modelPath, "model_path"))
    try Quantizer.quantize(
      model, precision, calibration: given.pixels, batch: checked(count: given.batch, "batch"),
      threads: ThreadBudget.resolve(Int(given.threads)), to: outPath)
  }
}

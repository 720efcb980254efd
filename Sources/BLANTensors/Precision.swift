/// What a model computes with. Maps and sums are 32-bit floats in each; raw values are what files and the command line
/// call them.
public enum Precision: String, Sendable, CaseIterable {
  case float32 = "f32"
  /// Weights and inputs of convolutions, and weights of linear layers, rounded to bfloat16.
  case bfloat16 = "bf16"
  /// The same rounded to eight bits: weights with a scale for each output channel, inputs by calibrated ranges.
  case int8
}

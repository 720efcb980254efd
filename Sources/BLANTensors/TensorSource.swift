/// Something that has the tensors of a weights file by name: a mapped file, an optimiser's state, a seeded generator.
public protocol TensorSource {
  /// Calls `body` with the tensor's values in torch layout; the pointer is valid during the call only.
  ///
  /// - Throws: `BLANError` naming the tensor when there is none of that name or its shape is not `shape`.
  func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result
}

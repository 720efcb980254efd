import BLANNetwork
import BLANTensors

/// The tensors of a network in training: values, and gradients in the same places, each tensor at a multiple of 16
/// floats and followed by zeros up to the next.
///
/// Values are in the layout of the weights file. The store belongs to one thread at a time.
final class ParameterStore {
  /// Where a tensor lies.
  struct Slot: Hashable {
    let offset: Int
    /// Elements without padding.
    let count: Int
    let index: Int
  }

  let parameters: [Parameter]
  /// One for each parameter, in the same order.
  let slots: [Slot]
  let values: AlignedBuffer<Float>
  let gradients: AlignedBuffer<Float>
  private let slotOfName: [String: Slot]

  /// Takes every tensor's values from `source`.
  ///
  /// - Parameter keepsGradients: false where no tensor is ever trained: `gradients` is then empty.
  /// - Throws: what the source throws; `BLANError.outOfMemory`.
  init(_ parameters: [Parameter], source: some TensorSource, keepsGradients: Bool = true) throws {
    self.parameters = parameters
    var slots: [Slot] = []
    var offset = 0
    for (index, parameter) in parameters.enumerated() {
      slots.append(Slot(offset: offset, count: parameter.count, index: index))
      offset += ChannelBlock.padded(parameter.count)
    }
    self.slots = slots
    slotOfName = Dictionary(zip(parameters.map(\.name), slots), uniquingKeysWith: { first, _ in first })
    values = try AlignedBuffer(count: offset, purpose: "the weights in training")
    gradients = try AlignedBuffer(count: keepsGradients ? offset : 0, purpose: "the gradients")
    for (parameter, slot) in zip(parameters, slots) {
      try source.withTensor(parameter.name, shape: parameter.shape) { tensor in
        guard let start = tensor.baseAddress else { return }
        (values.pointer + slot.offset).update(from: start, count: slot.count)
      }
    }
  }

  /// Floats of the whole store, padding included.
  var count: Int { values.count }

  /// - Throws: `BLANError.internal` for a name that the network does not have.
  func slot(_ name: String) throws -> Slot {
    guard let slot = slotOfName[name] else { throw BLANError.internal("the network has no tensor \"\(name)\"") }
    return slot
  }

  /// The tensor of a name that came from outside; nil when there is none.
  func find(_ name: String) -> Slot? { slotOfName[name] }

  /// The tensors of `buffer`, which is laid out like the store: its values, its gradients, an optimiser's moments.
  func source(_ buffer: AlignedBuffer<Float>) -> StoredTensors { StoredTensors(store: self, buffer: buffer) }
}

/// Tensors by name out of a buffer that is laid out like a ``ParameterStore``.
struct StoredTensors: TensorSource {
  fileprivate let store: ParameterStore
  fileprivate let buffer: AlignedBuffer<Float>

  func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    let slot = try store.slot(name)
    guard store.parameters[slot.index].shape == shape else {
      throw BLANError.shape("tensor \"\(name)\" has shape \(store.parameters[slot.index].shape); expected \(shape)")
    }
    return try body(UnsafeBufferPointer(start: buffer.pointer + slot.offset, count: slot.count))
  }
}

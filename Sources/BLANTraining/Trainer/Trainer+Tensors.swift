import BLANNetwork
import BLANTensors

extension Trainer {
  /// Copies the named tensor, in the layout of the weights file.
  ///
  /// - Throws: `BLANError.invalidArgument` for a name that the network lacks, `.shape` for another number of elements.
  public func copyParameter(_ name: String, to out: UnsafeMutablePointer<Float>, count: Int) throws {
    let slot = try find(name, count)
    out.update(from: store.values.pointer + slot.offset, count: slot.count)
  }

  /// Copies the gradient that the last step gave the named tensor (a sum over the batches that wait for an update).
  ///
  /// - Throws: `BLANError.invalidArgument` for a name that the network lacks, a tensor without a gradient, and before the
  ///   first step; `.shape` for another number of elements.
  public func copyGradient(_ name: String, to out: UnsafeMutablePointer<Float>, count: Int) throws {
    let slot = try find(name, count)
    guard plan.isTrained(slot) else {
      throw BLANError.invalidArgument(
        "tensor \"\(name)\" has no gradient: it is a statistic, frozen, or no loss depends on it")
    }
    guard lastStep != nil else {
      throw BLANError.invalidArgument("there is no gradient of \"\(name)\" before the first step")
    }
    out.update(from: store.gradients.pointer + slot.offset, count: slot.count)
  }

  private func find(_ name: String, _ count: Int) throws -> ParameterStore.Slot {
    guard let slot = store.find(name) else {
      throw BLANError.invalidArgument("the network has no tensor \"\(name.prefix(80))\"")
    }
    guard slot.count == count else {
      throw BLANError.shape("tensor \"\(name)\" has \(slot.count) elements, but count is \(count)")
    }
    return slot
  }
}

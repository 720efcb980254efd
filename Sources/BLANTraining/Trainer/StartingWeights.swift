import BLANNetwork
import BLANTensors
import BLANWeights

/// A model's weights for a network of other attributes: heads of attributes that the model has are kept by name, those of
/// new ones and training heads that the file lacks come from seeded random values.
struct FineTuningWeights: TensorSource {
  private let model: ModelFile
  private let fresh: SeededWeights
  /// For each attribute of the new network its place in the model; nil for a new one.
  private let places: [Int?]
  private let modelParameters: [String: Parameter]

  init(_ model: ModelFile, for network: Network, seed: UInt64) {
    self.model = model
    fresh = SeededWeights(network, seed: seed)
    let old = model.description.configuration.attributes
    let placeOfName = Dictionary(uniqueKeysWithValues: old.enumerated().map { ($1, $0) })
    places = network.configuration.attributes.map { placeOfName[$0] }
    let parameters = Network(model.description.configuration, purpose: .training).parameters
    modelParameters = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0) })
  }

  func withTensor<Result>(
    _ name: String, shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    guard let stored = modelParameters[name], !stored.isTrainingOnly || model.hasTrainingHeads else {
      return try fresh.withTensor(name, shape: shape, body)
    }
    guard stored.shape != shape || places != Array(0..<places.count) else {
      return try model.withTensor(name, shape: shape, body)
    }
    if name == "fusion.weight" { return try withFusion(stored, shape, body) }
    guard name.hasPrefix("classifiers."), name.hasSuffix(".fc2.weight") || name.hasSuffix(".fc2.bias") else {
      return try model.withTensor(name, shape: shape, body)
    }
    return try withHead(stored, shape, body)
  }

  /// fc2: two rows (absent, present) for each attribute.
  private func withHead<Result>(
    _ stored: Parameter, _ shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    let row = 2 * shape.dropFirst().reduce(1, *)
    return try assembled(stored, shape, body) { values, old in
      for (attribute, place) in places.enumerated() {
        guard let place, let start = old.baseAddress else { continue }
        (values + attribute * row).update(from: start + place * row, count: row)
      }
    }
  }

  /// W: a column for each attribute.
  private func withFusion<Result>(
    _ stored: Parameter, _ shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    try assembled(stored, shape, body) { values, old in
      for level in 0..<shape[0] {
        for (attribute, place) in places.enumerated() {
          guard let place else { continue }
          values[level * shape[1] + attribute] = old[level * stored.shape[1] + place]
        }
      }
    }
  }

  /// Fresh values of the tensor, changed by `fill` with what the model has.
  private func assembled<Result>(
    _ stored: Parameter, _ shape: [Int], _ body: (UnsafeBufferPointer<Float>) throws -> Result,
    fill: (UnsafeMutablePointer<Float>, UnsafeBufferPointer<Float>) -> Void
  ) throws -> Result {
    try fresh.withTensor(stored.name, shape: shape) { seeded in
      let values = try AlignedBuffer<Float>(count: seeded.count, purpose: stored.name)
      if let start = seeded.baseAddress { values.pointer.update(from: start, count: seeded.count) }
      try model.withTensor(stored.name, shape: stored.shape) { fill(values.pointer, $0) }
      return try body(UnsafeBufferPointer(values.elements))
    }
  }
}

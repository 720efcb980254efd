import BLANTensors

extension Dataset {
  /// The same items with the attributes of a model, in its order; one that the data lack is unknown throughout.
  ///
  /// - Throws: `BLANError.invalidArgument` where the data have none of them: they are then named otherwise, or other data.
  public func matched(with names: [String]) throws -> Dataset {
    guard names.contains(where: Set(attributes).contains) else {
      throw BLANError.invalidArgument("\(source) has none of the model's attributes: \(listing(names))")
    }
    return try selecting(names, unknownWhenAbsent: true)
  }
}

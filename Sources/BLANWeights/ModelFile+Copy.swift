import BLANNetwork
import BLANTensors
import FoundationEssentials

extension ModelFile {
  /// Copies the file, atomically, with another description of the same network. Tensors keep the type that they are
  /// stored in, and what the metadata hold beside the description is kept too.
  ///
  /// - Throws: `BLANError.invalidArgument` when the description is of another network; `.io` when the copy cannot be
  ///   written, which may be to the file itself.
  public func copy(to path: String, describedBy new: ModelDescription) throws {
    let network = Network(description.configuration, purpose: hasTrainingHeads ? .training : .inference)
    let other = Network(new.configuration, purpose: hasTrainingHeads ? .training : .inference)
    guard network.parameters.map(\.name) == other.parameters.map(\.name),
      network.parameters.map(\.shape) == other.parameters.map(\.shape)
    else { throw BLANError.invalidArgument("the description is not of the network in \(file.name)") }
    let suffixes = ["", Parameter.scaleSuffix, Parameter.rangesSuffix]
    let tensors = network.parameters.flatMap { parameter in
      suffixes.compactMap { suffix -> SafetensorsWriter.Tensor? in
        let name = parameter.name + suffix
        guard let tensor = file.tensors[name] else { return nil }
        return SafetensorsWriter.Tensor(name, type: tensor.type, shape: tensor.shape) { sink in
          try self.file.withBytes(name, type: tensor.type, sink)
        }
      }
    }
    try SafetensorsWriter.write(tensors, metadata: metadata(describedBy: new), to: path)
  }

  /// The file's metadata with the description's own keys replaced.
  func metadata(describedBy new: ModelDescription) throws -> [String: String] {
    var metadata = file.metadata
    for (key, value) in try new.metadata() { metadata[key] = value }
    let decoder = JSONDecoder()
    var config: [String: JSONValue]
    do {
      config = try decoder.decode([String: JSONValue].self, from: Data(configurationText.utf8))
    } catch {
      // It was read before, but for keys that are none of ours.
      throw BLANError.format("\(file.name): blan.config has a number, such as 1e999, that cannot be written again")
    }
    for (key, value) in try decoder.decode([String: JSONValue].self, from: Data(new.json().utf8)) {
      config[key] = value
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    metadata[ModelDescription.configurationKey] = String(decoding: try encoder.encode(config), as: UTF8.self)
    return metadata
  }
}

/// Any JSON, to carry through what other tools wrote.
private enum JSONValue: Codable {
  case null
  case bool(Bool)
  case integer(Int64)
  case large(UInt64)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(UInt64.self) {
      self = .large(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .large(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let values): try container.encode(values)
    case .object(let values): try container.encode(values)
    }
  }
}

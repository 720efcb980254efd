import BLANNetwork
import BLANTensors
import FoundationEssentials

/// What a model file says of itself beside its tensors: the network's configuration and what was fitted to its outputs.
public struct ModelDescription: Sendable {
  public var configuration: Configuration
  /// False for random weights. A file that does not say counts as trained: other tools write only trained ones.
  public var isTrained: Bool
  /// Probability from which each attribute counts as present.
  public var thresholds: [Float]
  /// Each attribute's logits are divided by its temperature before the softmax; 1 changes nothing.
  public var temperatures: [Float]
  /// What the model asks to be computed with.
  public var precision: Precision
  /// The terms on which the weights may be used; nil where the file states none.
  public var licence: String?

  public init(
    configuration: Configuration, isTrained: Bool, thresholds: [Float]? = nil, temperatures: [Float]? = nil,
    precision: Precision = .float32, licence: String? = nil
  ) throws {
    let count = configuration.attributes.count
    self.configuration = configuration
    self.isTrained = isTrained
    self.precision = precision
    self.licence = licence
    self.thresholds = thresholds ?? [Float](repeating: 0.5, count: count)
    self.temperatures = temperatures ?? [Float](repeating: 1, count: count)
    guard self.thresholds.count == count, self.thresholds.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
      throw BLANError.format("thresholds: expected \(count) numbers from 0 to 1")
    }
    guard self.temperatures.count == count, self.temperatures.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw BLANError.format("temperatures: expected \(count) finite numbers above 0")
    }
  }

  // MARK: - Metadata of the file

  private static let format = "blan"
  /// `format` of a training checkpoint.
  public static let checkpointFormat = "blan.checkpoint"
  public static let configurationKey = "blan.config"
  private static let licenceKey = "blan.licence"

  /// `blan.config` as JSON holds it.
  struct JSON: Codable {
    var inputSize: Int
    var width: Int
    var attributes: [String]
    var attention: String
    var variant: Int
    var mean: [Float]
    var std: [Float]
    var trained: Bool?
    var thresholds: [Float]?
    var temperatures: [Float]?
    var precision: String?

    enum CodingKeys: String, CodingKey {
      case inputSize = "input_size"
      case width, attributes, attention, variant, mean, std, trained, thresholds, temperatures, precision
    }
  }

  /// Reads `format`, `blan.config` and `blan.licence`.
  init(metadata: [String: String], file: String) throws {
    guard metadata["format"] != Self.checkpointFormat else {
      throw BLANError.format("\(file) is a training checkpoint, not a model: export one from it")
    }
    guard metadata["format"] == Self.format else {
      throw BLANError.format("\(file) is not a BLAN model: its metadata `format` is not \"\(Self.format)\"")
    }
    try self.init(configurationIn: metadata, file: file)
  }

  /// What a training checkpoint says of its network.
  ///
  /// - Throws: `BLANError.format` when the file is none or its `blan.config` is damaged.
  public init(checkpoint file: SafetensorsFile) throws {
    guard file.metadata["format"] == Self.checkpointFormat else {
      throw BLANError.format(
        "\(file.name) is not a checkpoint: its metadata `format` is not \"\(Self.checkpointFormat)\"")
    }
    try self.init(configurationIn: file.metadata, file: file.name)
  }

  private init(configurationIn metadata: [String: String], file: String) throws {
    guard let text = metadata[Self.configurationKey] else {
      throw BLANError.format("\(file): the metadata has no `blan.config`")
    }
    do {
      let json = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
      guard let attention = AttentionOrder(rawValue: json.attention) else {
        throw BLANError.unsupported("attention is \"\(json.attention.prefix(64))\"")
      }
      guard let variant = Variant(rawValue: json.variant) else {
        throw BLANError.unsupported("variant is \(json.variant); expected 1 to 6")
      }
      guard let precision = Precision(rawValue: json.precision ?? Precision.float32.rawValue) else {
        throw BLANError.unsupported("precision is \"\(json.precision?.prefix(64) ?? "")\"; expected f32, bf16 or int8")
      }
      try self.init(
        configuration: Configuration(
          inputSize: json.inputSize, width: json.width, attributes: json.attributes, attention: attention,
          variant: variant, mean: json.mean, std: json.std), isTrained: json.trained ?? true,
        thresholds: json.thresholds, temperatures: json.temperatures, precision: precision,
        licence: metadata[Self.licenceKey])
    } catch let error as DecodingError {
      throw BLANError.format("\(file): `blan.config` is not valid: \(error.summary)")
    } catch let error as BLANError {
      // A value that a caller could not pass as an argument is, in a file, damage.
      let kind = error.kind == .invalidArgument ? BLANError.Kind.format : error.kind
      throw BLANError(kind, "\(file): `blan.config`: \(error.message)")
    } catch {
      throw BLANError.format("\(file): `blan.config` is not valid JSON")
    }
  }

  /// Everything that `blan.config` says, defaults filled in.
  var codable: JSON {
    JSON(
      inputSize: configuration.inputSize, width: configuration.width, attributes: configuration.attributes,
      attention: configuration.attention.rawValue, variant: configuration.variant.rawValue, mean: configuration.mean,
      std: configuration.std, trained: isTrained, thresholds: thresholds, temperatures: temperatures,
      precision: precision == .float32 ? nil : precision.rawValue)
  }

  /// `blan.config` as JSON, keys sorted.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(codable), as: UTF8.self)
  }

  /// The metadata of a model file, or of a checkpoint.
  public func metadata(isCheckpoint: Bool = false) throws -> [String: String] {
    var metadata = [
      "format": isCheckpoint ? Self.checkpointFormat : Self.format, Self.configurationKey: try json(),
    ]
    metadata[Self.licenceKey] = licence
    return metadata
  }
}

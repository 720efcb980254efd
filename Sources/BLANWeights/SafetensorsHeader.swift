import BLANTensors
import FoundationEssentials

/// The JSON header of a safetensors file, as written; nothing in it is trusted before ``SafetensorsFile`` checked it.
struct SafetensorsHeader: Decodable {
  struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private(set) var metadata: [String: String] = [:]
  private(set) var entries: [String: Entry] = [:]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for key in container.allKeys {
      if key.stringValue == "__metadata__" {
        metadata = try container.decode([String: String].self, forKey: key)
      } else {
        entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
      }
    }
  }
}

extension DecodingError {
  /// What was wrong and where, in one line.
  var summary: String {
    switch self {
    case .keyNotFound(let key, let context): return "\(path(context)) has no \"\(key.stringValue)\""
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return "\(path(context)): \(context.debugDescription)"
    @unknown default: return "it is not as expected"
    }
  }

  private func path(_ context: Context) -> String {
    let path = context.codingPath.map(\.stringValue).joined(separator: " > ")
    return path.isEmpty ? "the JSON" : "\"\(path)\""
  }
}

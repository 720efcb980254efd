/// The one error type of the library: what kind of failure, and a sentence that names what and where.
public struct BLANError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kinds of failure; raw values are those of `blan_status` in `include/blan.h`.
  public enum Kind: Int32, Sendable, CaseIterable {
    case invalidArgument = 1
    case io = 2
    case format = 3
    case shape = 4
    case unsupported = 5
    case outOfMemory = 6
    case cancelled = 7
    case `internal` = 8
  }

  public let kind: Kind
  /// Names the file, tensor, row or index at fault, and what was expected.
  public let message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { "\(kind): \(message)" }

  public static func invalidArgument(_ message: String) -> BLANError { BLANError(.invalidArgument, message) }
  public static func io(_ message: String) -> BLANError { BLANError(.io, message) }
  public static func format(_ message: String) -> BLANError { BLANError(.format, message) }
  public static func shape(_ message: String) -> BLANError { BLANError(.shape, message) }
  public static func unsupported(_ message: String) -> BLANError { BLANError(.unsupported, message) }
  public static func outOfMemory(_ message: String) -> BLANError { BLANError(.outOfMemory, message) }
  public static func cancelled(_ message: String) -> BLANError { BLANError(.cancelled, message) }
  public static func `internal`(_ message: String) -> BLANError { BLANError(.internal, message) }
}

/// Channels, height and width of one image's feature map; the batch is always the caller's outermost dimension.
/// A vector of n numbers is `TensorShape(n, 1, 1)`.
public struct TensorShape: Hashable, Sendable, CustomStringConvertible {
  public var channels: Int
  public var height: Int
  public var width: Int

  public init(_ channels: Int, _ height: Int, _ width: Int) {
    self.channels = channels
    self.height = height
    self.width = width
  }

  public static func vector(_ count: Int) -> TensorShape { TensorShape(count, 1, 1) }

  /// Elements without padding.
  public var count: Int { channels * height * width }
  /// Locations of one channel.
  public var area: Int { height * width }
  /// Floats that one image occupies in the blocked layout (see ``ChannelBlock``).
  public var blockedCount: Int { ChannelBlock.padded(channels) * height * width }

  public var description: String { "\(channels)x\(height)x\(width)" }
}

/// The blocked channel layout of every activation inside libblan: `[batch][channels / 16][height][width][16]`.
///
/// Sixteen floats are one AVX-512 register or two AVX2 registers, so one layout serves every instruction set.
/// A channel count that is no multiple of 16 is padded; padding channels hold zero.
public enum ChannelBlock {
  public static let size = 16

  /// Number of 16-channel blocks that `channels` channels occupy.
  public static func count(_ channels: Int) -> Int { (channels + size - 1) / size }

  /// `channels` rounded up to whole blocks.
  public static func padded(_ channels: Int) -> Int { count(channels) * size }
}

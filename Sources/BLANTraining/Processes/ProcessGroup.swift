import BLANTensors

/// The processes that train one network together, as one of them sees them: its place, and the caller's sum.
public struct ProcessGroup: Sendable {
  /// Adds `count` floats up over all processes, in place; returns 0, or what went wrong.
  public typealias Allreduce = @Sendable (_ values: UnsafeMutablePointer<Float>, _ count: Int) -> Int32

  /// Of this process, from 0.
  public let rank: Int
  /// Processes.
  public let size: Int
  /// Whether batch norm normalises with the statistics of all processes' images together.
  public let synchronisesBatchNorm: Bool
  let allreduce: Allreduce

  /// - Throws: `BLANError.invalidArgument` for a size outside 1 to 65536 or a rank outside 0 to `size` - 1.
  public init(
    rank: Int, size: Int, synchronisesBatchNorm: Bool = true, allreduce: @escaping Allreduce
  ) throws {
    guard (1...65_536).contains(size) else {
      throw BLANError.invalidArgument("world_size is \(size); expected 1 to 65536")
    }
    guard (0..<size).contains(rank) else {
      throw BLANError.invalidArgument("rank is \(rank); expected 0 to \(size - 1)")
    }
    self.rank = rank
    self.size = size
    self.synchronisesBatchNorm = synchronisesBatchNorm
    self.allreduce = allreduce
  }
}

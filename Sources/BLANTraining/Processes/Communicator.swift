import BLANData
import BLANTensors

/// How a process of a ``ProcessGroup`` talks with the others: every process must make the same calls in the same order.
///
/// All of it is made of the caller's sum. A communicator belongs to one thread at a time; the sums themselves happen on
/// a thread of its own, which ends with it.
public final class Communicator {
  public let group: ProcessGroup
  private let queue: SumQueue
  private let thread: WorkerThread
  /// A row for each process.
  private var rows: AlignedBuffer<Float>
  private var rowCapacity: Int

  /// - Throws: `BLANError.outOfMemory`, also when no thread can be started.
  public init(_ group: ProcessGroup) throws {
    self.group = group
    rowCapacity = 64
    rows = try AlignedBuffer(count: group.size * rowCapacity, purpose: "what processes exchange")
    let queue = SumQueue(group.allreduce)
    self.queue = queue
    thread = try WorkerThread { queue.run() }
  }

  deinit {
    queue.stop()
    thread.join()
  }

  // MARK: - Sums

  /// Makes room for rows of `count` floats: what layers exchange must not fail in the middle of a step.
  func reserve(_ count: Int) throws {
    guard count > rowCapacity else { return }
    rows = try AlignedBuffer(count: group.size * count, purpose: "what processes exchange")
    rowCapacity = count
  }

  /// Begins to sum, while the caller goes on; `values` must stay as they are until ``finish()``.
  func begin(_ values: UnsafeMutablePointer<Float>, count: Int) { _ = queue.begin(values, count) }

  /// Waits for all sums that were begun.
  func finish() { queue.wait() }

  /// Sums and waits.
  func sum(_ values: UnsafeMutablePointer<Float>, count: Int) { queue.wait(for: queue.begin(values, count)) }

  /// Sums the `count` floats (at most ``reserve(_:)``'s) that `fill` writes, and waits.
  func sum(count: Int, fill: (UnsafeMutablePointer<Float>) -> Void) -> UnsafePointer<Float> {
    rows.pointer.update(repeating: 0, count: count)
    fill(rows.pointer)
    sum(rows.pointer, count: count)
    return UnsafePointer(rows.pointer)
  }

  /// The `count` floats (at most ``reserve(_:)``'s) that each process's `fill` writes, one row after the other.
  ///
  /// Each process adds zeros to the others' rows, so that numbers arrive as they were, whatever the order of the sum.
  func gather(count: Int, fill: (UnsafeMutablePointer<Float>) -> Void) -> UnsafePointer<Float> {
    rows.pointer.update(repeating: 0, count: group.size * count)
    fill(rows.pointer + group.rank * count)
    sum(rows.pointer, count: group.size * count)
    return UnsafePointer(rows.pointer)
  }

  /// - Throws: `BLANError.io` once a sum has failed.
  func checkTransport() throws {
    let failure = queue.failure
    guard failure == 0 else {
      throw BLANError.io("process \(group.rank) of \(group.size): the allreduce failed and returned \(failure)")
    }
  }

  // MARK: - Numbers and texts

  /// The numbers of each process, to 48 bits.
  ///
  /// - Throws: `BLANError.io` when a sum has failed; `.outOfMemory`.
  func gather(_ numbers: [Double]) throws -> [[Double]] {
    let count = 2 * numbers.count
    try reserve(count)
    let rows = gather(count: count) { row in
      for (index, number) in numbers.enumerated() {
        let high = Float(number)
        row[2 * index] = high
        row[2 * index + 1] = high.isFinite ? Float(number - Double(high)) : 0
      }
    }
    try checkTransport()
    return (0..<group.size).map { rank in
      let row = rows + rank * count
      return numbers.indices.map { Double(row[2 * $0]) + Double(row[2 * $0 + 1]) }
    }
  }

  /// The counts of each process: whole numbers from 0 to `most`, which has 47 bits at most.
  ///
  /// - Throws: `BLANError.io` when a sum has failed or came to something else; `.outOfMemory`.
  func gather(counts: [Int], upTo most: Int) throws -> [[Int]] {
    try gather(counts.map(Double.init)).map { row in
      try row.map { number in
        guard let count = Int(exactly: number), (0...most).contains(count) else { throw noCount(number, upTo: most) }
        return count
      }
    }
  }

  /// The text of each process.
  ///
  /// - Throws: as ``gather(counts:upTo:)``.
  func gather(_ text: String) throws -> [String] {
    let bytes = Array(text.utf8.prefix(Self.longestText))
    let lengths = try gather(counts: [bytes.count], upTo: Self.longestText).map { $0[0] }
    let longest = lengths.max() ?? 0
    try reserve(longest)
    let rows = gather(count: longest) { row in
      for (index, byte) in bytes.enumerated() { row[index] = Float(byte) }
    }
    try checkTransport()
    return try lengths.enumerated().map { rank, length in
      let bytes = try (0..<length).map { place in
        let number = rows[rank * longest + place]
        guard let byte = UInt8(exactly: number) else { throw noCount(Double(number), upTo: Int(UInt8.max)) }
        return byte
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  private func noCount(_ number: Double, upTo most: Int) -> BLANError {
    .io(
      "process \(group.rank) of \(group.size): the allreduce came to \(number); expected a whole number from 0 to "
        + "\(most): do all processes have a rank of their own?")
  }

  private static let longestText = 16_384

  /// Runs `body` here and learns how it went in the other processes: all go on, or none does.
  ///
  /// - Throws: what `body` throws; where it threw in another process alone, an error of the same kind that names the
  ///   process and has its message; `BLANError.io` when a sum has failed.
  public func agree<Value>(_ body: () throws -> Value) throws -> Value {
    var value: Value?
    var own: BLANError?
    do {
      value = try body()
    } catch {
      own = error as? BLANError ?? .internal("\(error)")
    }
    let kinds: [BLANError.Kind?]
    do {
      let numbers = try gather(counts: [own.map { Int($0.kind.rawValue) } ?? 0], upTo: BLANError.Kind.allCases.count)
      kinds = numbers.map { BLANError.Kind(rawValue: Int32($0[0])) }
    } catch {
      throw own ?? error
    }
    guard let rank = kinds.firstIndex(where: { $0 != nil }) else {
      if let value { return value }
      throw BLANError.internal("a process has neither a value nor an error")
    }
    let messages = try gather(own?.message ?? "")
    throw own ?? BLANError(kinds[rank] ?? .internal, "process \(rank): \(messages[rank])")
  }
}

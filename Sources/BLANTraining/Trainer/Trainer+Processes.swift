import BLANNetwork
import BLANTensors
import FoundationEssentials

extension Trainer {
  /// Trains together with the other processes of a group from here on: every process makes the same calls, each with its
  /// own part of the batch. All must have the same network, options, state and weights.
  ///
  /// - Throws: `BLANError.invalidArgument` where a process has something else; `.io` when a sum fails; `.outOfMemory`.
  public func join(_ communicator: Communicator) throws {
    try communicator.agree {
      let counts = plan.layers.map { layer in
        max(
          (layer as? BatchNormLayer)?.exchangedCount ?? 0, (layer as? MutualInformationLoss)?.exchangedCount ?? 0)
      }
      try communicator.reserve(max(counts.max() ?? 0, plan.statisticsCount))
    }
    try communicator.expectSame(Double(try settingsDigest()), "network, options or state of training")
    try communicator.expectSame(Double(weightsDigest()), "weights")
    self.communicator = communicator
    buckets = GradientBuckets(plan, store)
    keepPendingGradientsOnce()
  }

  /// Whether this process writes what is written once.
  var isFirst: Bool { communicator.map { $0.group.rank == 0 } ?? true }

  /// Runs `body`; with several processes all go on or none does, as ``Communicator/agree(_:)`` says.
  func together<Value>(_ body: () throws -> Value) throws -> Value {
    guard let communicator else { return try body() }
    return try communicator.agree(body)
  }

  /// Whether every process says yes.
  func all(_ yes: Bool) throws -> Bool {
    guard let communicator else { return yes }
    return try communicator.gather([yes ? 1 : 0]).allSatisfy { $0[0] == 1 }
  }

  /// The sums over processes of some numbers.
  func total(_ numbers: [Double]) throws -> [Double] {
    guard let communicator else { return numbers }
    let rows = try communicator.gather(numbers)
    return numbers.indices.map { index in rows.reduce(0) { $0 + $1[index] } }
  }

  /// The sums over processes of some counts, none of which is above `most` in any.
  func total(counts: [Int], upTo most: Int) throws -> [Int] {
    guard let communicator else { return counts }
    let rows = try communicator.gather(counts: counts, upTo: most)
    return counts.indices.map { index in rows.reduce(0) { $0 + $1[index] } }
  }

  /// The lines of all processes, in the order of ranks.
  func lines(_ own: [String]) throws -> [String] {
    guard let communicator, try total([Double(own.count)])[0] > 0 else { return own }
    return try communicator.gather(own.joined(separator: "\n")).flatMap { $0.split(separator: "\n").map(String.init) }
  }

  /// Takes the other processes' shares of gradients that wait for an update into the first one's, which a checkpoint
  /// holds.
  func collectPendingGradients() throws {
    guard let communicator, state.pending > 0 else { return }
    communicator.sum(store.gradients.pointer, count: store.count)
    try communicator.checkTransport()
    keepPendingGradientsOnce()
  }

  /// Gradients that wait for an update count once: the first process has them.
  private func keepPendingGradientsOnce() {
    if !isFirst { store.gradients.pointer.update(repeating: 0, count: store.count) }
  }

  private func settingsDigest() throws -> UInt64 {
    struct Settings: Encodable {
      let configuration: String
      let options: TrainingOptions
      let state: TrainerState
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let settings = Settings(configuration: "\(configuration)", options: options, state: state)
    return try encoder.encode(settings).reduce(into: Digest()) { $0.add(UInt64($1)) }.value
  }

  private func weightsDigest() -> UInt64 {
    store.values.elements.reduce(into: Digest()) { $0.add(UInt64($1.bitPattern)) }.value
  }
}

extension Communicator {
  /// - Throws: `BLANError.invalidArgument`, naming the first process whose number is another than the first one's.
  func expectSame(_ number: Double, _ what: String) throws {
    let numbers = try gather([number]).map { $0[0] }
    if let rank = numbers.firstIndex(where: { $0 != numbers[0] }) {
      throw BLANError.invalidArgument("process \(rank) has another \(what) than process 0")
    }
  }
}

/// FNV-1a in steps of one number each; 48 bits, which pass between processes exactly.
struct Digest {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ number: UInt64) { hash = (hash ^ number) &* 0x0000_0100_0000_01b3 }

  var value: UInt64 { hash >> 16 }
}

import BLANTensors
import Synchronization
import Testing

@testable import BLANTraining

/// What comes back from the caller's sum is not to be trusted.
@Suite struct CommunicatorTests {
  /// The first of three processes; `sum` is in the place of the other two.
  private static func communicator(_ sum: @escaping @Sendable (Float) -> Float) throws -> Communicator {
    try Communicator(
      ProcessGroup(rank: 0, size: 3) { values, count in
        for index in 0..<count { values[index] = sum(values[index]) }
        return 0
      })
  }

  private func expectNoSum(at place: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
    let error = #expect(throws: BLANError.self, sourceLocation: place) { try body() }
    #expect(error?.kind == .io, sourceLocation: place)
    #expect(error?.message.contains("do all processes have a rank of their own?") == true, sourceLocation: place)
  }

  /// Three processes that all take themselves for the first send three times the bytes of a message.
  @Test func processesOfOneRankAreToldSo() throws {
    let communicator = try Self.communicator { 3 * $0 }
    expectNoSum { try communicator.agree { throw BLANError.io("cannot open start.safetensors") } }
    expectNoSum { _ = try communicator.gather("text") }
  }

  /// A text, a kind of error and counts: none of them is converted unseen.
  @Test(arguments: [Float.nan, .infinity, -1, 0.25, 1e30]) func aSumThatIsNoCountIsAnError(number: Float) throws {
    let communicator = try Self.communicator { _ in number }
    expectNoSum { try communicator.agree {} }
    expectNoSum { _ = try communicator.gather("text") }
    expectNoSum { _ = try communicator.gather(counts: [1, 2], upTo: 1 << 40) }
  }

  /// The first sum of a step tells whether all are ready, the second how many images each has.
  @Test(arguments: [Float.nan, 65_537]) func aStepDoesNotTakeAnySum(images: Float) throws {
    let training = try SmallTraining()
    let trainer = try training.trainer(threads: 1)
    let calls = Mutex(0)
    trainer.communicator = try Communicator(
      ProcessGroup(rank: 0, size: 2) { values, count in
        let isSecond = calls.withLock {
          $0 += 1
          return $0 == 2
        }
        if isSecond { values.update(repeating: images, count: count) }
        return 0
      })
    expectNoSum { try training.step(trainer) }
    #expect(trainer.stepCount == 0)
  }

  @Test func countsOfAllProcessesAreAddedUp() throws {
    let training = try SmallTraining()
    let totals = try ThreadGroup(3).run { communicator in
      let trainer = try training.trainer(threads: 1)
      try trainer.join(communicator)
      return try trainer.total(counts: [communicator.group.rank, 1 << 40], upTo: 1 << 40)
    }.map { try $0.get() }
    #expect(totals == Array(repeating: [3, 3 << 40], count: 3))
  }
}

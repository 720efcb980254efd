import BLANNetwork
import BLANTensors
import BLANTestSupport
import Testing

@testable import BLANInference

@Suite struct ContextPoolTests {
  private let plan: InferencePlan
  private let packed: [PackedStep]

  init() throws {
    let network = Network(try Configuration(inputSize: 64, width: 4, attributes: ["a"], variant: .encoder))
    plan = try InferencePlan(network)
    let packer = WeightPacker(source: try FixtureWeights(network, seed: 1), threads: 1)
    packed = try plan.steps.map { try packer.pack($0) }
  }

  private func context(_ capacity: Int) throws -> ExecutionContext {
    try ExecutionContext(capacity: capacity, imageFloats: 3 * 64 * 64, plan: plan, packed: packed, threads: 1)
  }

  @Test func aContextIsUsedAgain() throws {
    let pool = ContextPool<ExecutionContext>()
    var made = 0
    var seen: Set<ObjectIdentifier> = []
    for batch in [3, 1, 3, 2] {
      try pool.withContext(where: fits(batch)) {
        made += 1
        return try context(3)
      } body: {
        seen.insert(ObjectIdentifier($0))
        #expect($0.capacity >= batch)
      }
    }
    #expect(made == 1)
    #expect(seen.count == 1)
  }

  @Test func aLargerOneTakesTheSmallerOnesPlace() throws {
    let pool = ContextPool<ExecutionContext>()
    weak var small: ExecutionContext?
    try pool.withContext(where: fits(1), make: making(1)) { small = $0 }
    #expect(small != nil)
    try pool.withContext(where: fits(4), make: making(4)) { #expect($0.capacity == 4) }
    #expect(small == nil, "memory of both sizes is kept")
    try pool.withContext(where: fits(1), make: making(1)) { #expect($0.capacity == 4) }
  }

  @Test func callsInFlightNeverShare() throws {
    let pool = ContextPool<ExecutionContext>()
    try pool.withContext(where: fits(1), make: making(1)) { outer in
      try pool.withContext(where: fits(1), make: making(1)) { inner in
        #expect(outer !== inner)
        #expect(outer.arena.pointer != inner.arena.pointer)
      }
    }
  }

  @Test func aFailedCallGivesItsContextBack() throws {
    let pool = ContextPool<ExecutionContext>()
    var first: ObjectIdentifier?
    #expect(throws: BLANError.self) {
      try pool.withContext(where: fits(1), make: making(1)) {
        first = ObjectIdentifier($0)
        throw BLANError.cancelled("a test")
      }
    }
    try pool.withContext(where: fits(1), make: failing) {
      #expect(ObjectIdentifier($0) == first)
    }
  }

  private func fits(_ batch: Int) -> (ExecutionContext) -> Bool { { $0.capacity >= batch } }

  private func making(_ capacity: Int) -> () throws -> ExecutionContext { { try context(capacity) } }

  private func failing() throws -> ExecutionContext { throw BLANError.outOfMemory("a second one is made") }
}

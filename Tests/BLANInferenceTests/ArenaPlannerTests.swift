import BLANNetwork
import BLANTensors
import Testing

@testable import BLANInference

@Suite struct ArenaPlannerTests {
  /// Pairs of buffers that live at the same time and share a float.
  private func collisions(_ requests: [ArenaPlanner.Request], _ planner: ArenaPlanner) -> [(Int, Int)] {
    var collisions: [(Int, Int)] = []
    for (i, a) in requests.enumerated() {
      for (j, b) in requests.enumerated().dropFirst(i + 1) where a.birth <= b.death && b.birth <= a.death {
        let (x, y) = (planner.offsets[i], planner.offsets[j])
        if x < y + b.count && y < x + a.count { collisions.append((i, j)) }
      }
    }
    return collisions
  }

  /// Most floats that are alive at one step: no arena can be smaller.
  private func leastSize(_ requests: [ArenaPlanner.Request]) -> Int {
    let steps = Set(requests.flatMap { [$0.birth, $0.death] })
    return steps.map { step in
      requests.filter { $0.birth <= step && step <= $0.death }.reduce(0) { $0 + $1.count }
    }.max() ?? 0
  }

  @Test func buffersAliveAtOnceNeverOverlap() {
    var stream = RandomStream(seed: 3, key: "lifetimes")
    for round in 0..<300 {
      let requests = (0..<Int.random(in: 1...40, using: &stream)).map { _ in
        let birth = Int.random(in: 0..<50, using: &stream)
        return ArenaPlanner.Request(
          count: Int.random(in: 0...5000, using: &stream), birth: birth,
          death: birth + Int.random(in: 0...12, using: &stream))
      }
      let planner = ArenaPlanner(requests)
      #expect(collisions(requests, planner).isEmpty, "round \(round)")
      #expect(planner.offsets.allSatisfy { $0 >= 0 && $0 % 16 == 0 }, "round \(round)")
      for (request, offset) in zip(requests, planner.offsets) {
        #expect(offset + request.count <= planner.size, "round \(round)")
      }
      #expect(planner.size >= leastSize(requests))
      #expect(planner.size <= requests.reduce(0) { $0 + ($1.count + 15) / 16 * 16 })
    }
  }

  @Test func placesAreUsedAgain() {
    let chain = (0..<10).map { ArenaPlanner.Request(count: 160, birth: $0, death: $0 + 1) }
    #expect(ArenaPlanner(chain).size == 320)
    #expect(ArenaPlanner([]).size == 0)
  }

  /// The lifetimes of real plans, worked out from their steps once more.
  @Test(arguments: Variant.allCases) func plansKeepWhatIsStillRead(variant: Variant) throws {
    for order in AttentionOrder.allCases {
      let network = Network(try Configuration(inputSize: 64, width: 4, attention: order, variant: variant))
      let plan = try InferencePlan(network, keeping: network.levels.map(\.encoder))
      var requests = plan.counts.map { ArenaPlanner.Request(count: $0, birth: .max, death: -1) }
      for (index, step) in plan.steps.enumerated() {
        let out = step.output.index
        #expect(requests[out].birth == .max, "step \(index) writes a buffer again")
        requests[out] = ArenaPlanner.Request(count: plan.counts[out], birth: index, death: index)
        for input in step.inputs {
          #expect(requests[input.index].birth < index, "step \(index) reads what nobody wrote")
          requests[input.index].death = index
        }
      }
      let kept = network.levels.flatMap {
        [$0.encoder, $0.classification.embedding, $0.classification.scores]
          + ($0.attention.map { [$0.spatialGate] } ?? [])
      }
      for node in kept { requests[try #require(plan.buffer(of: node)).index].death = plan.steps.count }
      #expect(collisions(requests, plan.arena).isEmpty, "\(order)")
      #expect(plan.arena.size < plan.counts.reduce(0, +), "\(order): nothing shares its place")
    }
  }
}

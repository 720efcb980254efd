import BLANTensors
import CBLANKernels
import Testing

@Suite struct PoolingTests {
  /// Even and odd extents, down to a single pixel; channels round a block's edges.
  static let maps = [
    TensorShape(4, 1, 1), TensorShape(16, 1, 6), TensorShape(17, 2, 2), TensorShape(40, 5, 1), TensorShape(64, 7, 8),
    TensorShape(16, 12, 33),
  ]

  private func description(_ map: TensorShape, batch: Int) -> blan_k_pool_shape {
    blan_k_pool_shape(batch: batch, channels: map.channels, height: map.height, width: map.width)
  }

  private func pooled(_ map: TensorShape) -> TensorShape {
    TensorShape(map.channels, (map.height - 1) / 2 + 1, (map.width - 1) / 2 + 1)
  }

  /// Noise of few values, so that most windows hold their maximum more than once, or of many.
  private func input(_ map: TensorShape, batch: Int, ties: Bool, seed: UInt64) throws -> BlockedMap {
    var noise = Noise(seed)
    let result = try BlockedMap(map, batch: batch, noise: &noise)
    for index in 0..<result.buffer.count where ties { result.pointer[index] = (result.pointer[index] * 2).rounded() }
    return result
  }

  @Test(arguments: maps, [false, true]) func forwardMatchesTheReference(map: TensorShape, ties: Bool) throws {
    var shape = description(map, batch: 3)
    let input = try input(map, batch: 3, ties: ties, seed: 61)
    // Below zero: zero padding would win every window at an edge.
    for image in 0..<3 {
      for channel in 0..<map.channels { for place in 0..<map.area { input[image, channel, place] -= 3 } }
    }
    let expected = try poisoned(3 * pooled(map).blockedCount)
    blan_k_max_pool_forward_reference(&shape, expected.pointer, input.pointer)
    try expect("\(map)", matches: [expected], within: 0) { threads in
      let out = try poisoned(expected.count)
      blan_k_max_pool_forward(&shape, out.pointer, input.pointer, threads)
      return [out]
    }
  }

  @Test(arguments: maps, [false, true]) func backwardMatchesTheReference(map: TensorShape, ties: Bool) throws {
    var shape = description(map, batch: 3)
    let input = try input(map, batch: 3, ties: ties, seed: 62)
    var noise = Noise(63)
    let dOut = try BlockedMap(pooled(map), batch: 3, noise: &noise)
    let out = try poisoned(dOut.buffer.count)
    blan_k_max_pool_forward_reference(&shape, out.pointer, input.pointer)
    let expected = try poisoned(input.buffer.count)
    blan_k_max_pool_backward_reference(&shape, expected.pointer, dOut.pointer, input.pointer, out.pointer)
    try expect("\(map), ties \(ties)", matches: [expected], within: 1e-6) { threads in
      let dIn = try poisoned(expected.count)
      blan_k_max_pool_backward(&shape, dIn.pointer, dOut.pointer, input.pointer, out.pointer, threads)
      return [dIn]
    }
  }

  /// A map small enough to pool by hand.
  @Test func referenceFollowsTheDefinition() throws {
    var shape = description(TensorShape(1, 3, 4), batch: 1)
    let map = try BlockedMap(TensorShape(1, 3, 4), batch: 1)
    for (place, value) in ([-5, 2, 2, -1, -7, 1, 0, -3, -4, 2, -6, -2] as [Float]).enumerated() {
      map[0, 0, place] = value
    }
    let out = try BlockedMap(TensorShape(1, 2, 2), batch: 1)
    blan_k_max_pool_forward_reference(&shape, out.pointer, map.pointer)
    #expect((0..<4).map { out[0, 0, $0] } == [2, 2, 2, 2])
    // The first of equals in reading order: windows 0 and 1 at place 1, window 2 and 3 at place 9.
    let dOut = try BlockedMap(TensorShape(1, 2, 2), batch: 1)
    for place in 0..<4 { dOut[0, 0, place] = Float(1 << place) }
    let dIn = try BlockedMap(TensorShape(1, 3, 4), batch: 1)
    blan_k_max_pool_backward_reference(&shape, dIn.pointer, dOut.pointer, map.pointer, out.pointer)
    #expect((0..<12).map { dIn[0, 0, $0] } == [0, 3, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0])
  }

  /// Values a step apart from each other: no central difference crosses a tie.
  @Test func referenceBackwardIsTheGradient() throws {
    let map = TensorShape(2, 5, 6)
    var shape = description(map, batch: 1)
    let input = try BlockedMap(map, batch: 1)
    for channel in 0..<2 {
      for place in 0..<30 { input[0, channel, place] = Float((place * 7 + channel * 11) % 30) / 15 - 1 }
    }
    var noise = Noise(64)
    let dOut = try BlockedMap(pooled(map), batch: 1, noise: &noise)
    let out = try poisoned(dOut.buffer.count)
    let dIn = try poisoned(input.buffer.count)
    blan_k_max_pool_forward_reference(&shape, out.pointer, input.pointer)
    blan_k_max_pool_backward_reference(&shape, dIn.pointer, dOut.pointer, input.pointer, out.pointer)
    let real = (0..<dIn.count).filter { $0 % 16 < 2 }
    try expectGradient("d_in", dIn, of: input.buffer, at: real, step: 1e-2, tolerance: 1e-4) {
      blan_k_max_pool_forward_reference(&shape, out.pointer, input.pointer)
      return dot(out, dOut.buffer)
    }
  }

  @Test func aNaNIsTheLargestOfItsWindows() throws {
    let map = TensorShape(16, 4, 4)
    var shape = description(map, batch: 1)
    let input = try input(map, batch: 1, ties: false, seed: 65)
    input[0, 5, 5] = .nan
    try onEveryInstructionSet { isa in
      let out = try BlockedMap(pooled(map), batch: 1)
      blan_k_max_pool_forward(&shape, out.pointer, input.pointer, 1)
      #expect((0..<4).allSatisfy { out[0, 5, $0].isNaN }, "isa \(isa)")
      #expect((0..<64).filter { out.pointer[$0].isNaN }.count == 4, "isa \(isa)")
    }
  }
}

import BLANTensors
import CBLANKernels
import Foundation
import Testing

@Suite struct OptimiserTests {
  /// Round a vector's and a piece's edges.
  static let counts = [1, 15, 16, 17, 1000, 16384, 16385, 40007]

  private func rule(step: Int, weightDecay: Float = 0.1, scale: Float = 0.5) -> blan_k_adam {
    blan_k_adam(
      learning_rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: weightDecay, gradient_scale: scale,
      correction1: 1 - pow(0.9, Double(step)), correction2: 1 - pow(0.999, Double(step)))
  }

  /// Three steps on one parameter by the formula of the paper of Adam, in double.
  @Test func adamReferenceFollowsTheFormula() throws {
    for weightDecay in [0, 0.1] as [Float] {
      let state = try AlignedBuffer<Float>(count: 4)
      var (w, m, v) = (0.7, 0.0, 0.0)
      state.pointer[0] = 0.7
      for (index, gradient) in ([0.4, -1.5, 0.02] as [Float]).enumerated() {
        let step = index + 1
        var adam = rule(step: step, weightDecay: weightDecay)
        state.pointer[3] = gradient
        blan_k_adam_update_reference(1, state.pointer, state.pointer + 3, state.pointer + 1, state.pointer + 2, &adam)
        let g = 0.5 * Double(gradient)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        w -= 0.01 * Double(weightDecay) * w
        w -= 0.01 * (m / (1 - pow(0.9, Double(step)))) / ((v / (1 - pow(0.999, Double(step)))).squareRoot() + 1e-8)
        #expect(abs(Double(state.pointer[0]) - w) < 2e-7, "step \(step)")
        #expect(abs(Double(state.pointer[1]) - m) < 1e-7, "step \(step)")
        #expect(abs(Double(state.pointer[2]) - v) < 1e-7, "step \(step)")
      }
    }
  }

  /// The first step moves each parameter by the learning rate, whatever its gradient.
  @Test func adamsFirstStepIsTheLearningRate() throws {
    let w = try AlignedBuffer<Float>(count: 33)
    let m = try AlignedBuffer<Float>(count: 33)
    let v = try AlignedBuffer<Float>(count: 33)
    var noise = Noise(1)
    let gradient = try CBLANKernelsTests.noise(33, &noise)
    var adam = rule(step: 1, weightDecay: 0)
    blan_k_adam_update(33, w.pointer, gradient.pointer, m.pointer, v.pointer, &adam, 1)
    for index in 0..<33 {
      #expect(abs(w.pointer[index] + (gradient.pointer[index] > 0 ? 0.01 : -0.01)) < 1e-7)
    }
  }

  @Test(arguments: counts) func adamMatchesTheReference(count: Int) throws {
    var noise = Noise(31)
    let start = try (0..<4).map { _ in try CBLANKernelsTests.noise(count, &noise) }
    for index in 0..<count { start[3].pointer[index] *= start[3].pointer[index] }
    var adam = rule(step: 7)
    let expected = try [start[0], start[2], start[3]].map(copy)
    blan_k_adam_update_reference(
      count, expected[0].pointer, start[1].pointer, expected[1].pointer, expected[2].pointer, &adam)
    try expect("adam of \(count)", matches: expected, within: 1e-6) { threads in
      let actual = try [start[0], start[2], start[3]].map(copy)
      blan_k_adam_update(
        count, actual[0].pointer, start[1].pointer, actual[1].pointer, actual[2].pointer, &adam, threads)
      return actual
    }
  }

  /// Parameters lie one after the other in one buffer: their starts are aligned to nothing.
  @Test func unalignedBuffersAreFine() throws {
    var noise = Noise(32)
    let count = 1003
    let values = try CBLANKernelsTests.noise(count + 1, &noise)
    let expected = try AlignedBuffer<Float>(count: count)
    for index in 0..<count { expected.pointer[index] = 2 * values.pointer[index + 1] }
    try expect("accumulate", matches: [expected], within: 0) { threads in
      let sum = try copy(values)
      blan_k_accumulate(count, sum.pointer + 1, values.pointer + 1, threads)
      let result = try AlignedBuffer<Float>(count: count)
      for index in 0..<count { result.pointer[index] = sum.pointer[index + 1] }
      #expect(sum.pointer[0] == values.pointer[0])
      return [result]
    }
    let partial = try AlignedBuffer<Double>(count: blan_k_sum_of_squares_partials(count))
    let whole = (1...count).reduce(0.0) { $0 + pow(Double(values.pointer[$1]), 2) }
    onEveryInstructionSet { _ in
      let sum = blan_k_sum_of_squares(count, values.pointer + 1, partial.pointer, 2)
      #expect(abs(sum - whole) < 1e-12 * whole)
      let dropped = values.pointer + 1
      blan_k_dropout(0, count, dropped, dropped, 1, 0, 2)
      #expect(dropped[0] * 2 == expected.pointer[0] && dropped[count - 1] * 2 == expected.pointer[count - 1])
    }
  }

  @Test(arguments: counts) func sgdAverageAndSumMatchTheirFormulas(count: Int) throws {
    var noise = Noise(33)
    let a = try CBLANKernelsTests.noise(count, &noise)
    let b = try CBLANKernelsTests.noise(count, &noise)
    let stepped = try AlignedBuffer<Float>(count: count)
    let averaged = try AlignedBuffer<Float>(count: count)
    let summed = try AlignedBuffer<Float>(count: count)
    for index in 0..<count {
      let (x, y) = (Double(a.pointer[index]), Double(b.pointer[index]))
      stepped.pointer[index] = Float(x - 0.1 * (0.5 * y + 0.3 * x))
      averaged.pointer[index] = Float(0.875 * x + 0.125 * y)
      summed.pointer[index] = Float(x + y)
    }
    try expect("\(count) elements", matches: [stepped, averaged, summed], within: 3e-7) { threads in
      let actual = try (0..<3).map { _ in try copy(a) }
      blan_k_sgd_update(count, actual[0].pointer, b.pointer, 0.1, 0.3, 0.5, threads)
      blan_k_average_update(count, actual[1].pointer, b.pointer, 0.875, threads)
      blan_k_accumulate(count, actual[2].pointer, b.pointer, threads)
      return actual
    }
  }

  @Test(arguments: counts) func sumOfSquaresIsExactInDouble(count: Int) throws {
    var noise = Noise(34)
    let values = try CBLANKernelsTests.noise(count, &noise)
    // Squares that a float could not hold.
    values.pointer[count / 2] = 1e25
    let expected = (0..<count).reduce(0.0) { $0 + pow(Double(values.pointer[$1]), 2) }
    let partial = try AlignedBuffer<Double>(count: blan_k_sum_of_squares_partials(count))
    var cases = 0
    onEveryInstructionSet { isa in
      let one = blan_k_sum_of_squares(count, values.pointer, partial.pointer, 1)
      #expect(abs(one - expected) <= 1e-12 * expected, "isa \(isa)")
      for threads in [2, 5] as [Int32] {
        #expect(blan_k_sum_of_squares(count, values.pointer, partial.pointer, threads) == one, "isa \(isa)")
        cases += 1
      }
      for bad in [Float.infinity, -.infinity, .nan] {
        for place in [0, count - 1] {
          let value = values.pointer[place]
          values.pointer[place] = bad
          #expect(!blan_k_sum_of_squares(count, values.pointer, partial.pointer, 2).isFinite, "isa \(isa), \(bad)")
          values.pointer[place] = value
        }
      }
    }
    #expect(cases >= 2)
  }

  @Test func sumOfSquaresOfNothingIsZero() throws {
    let partial = try AlignedBuffer<Double>(count: 1)
    #expect(blan_k_sum_of_squares(0, nil, partial.pointer, 2) == 0)
  }

  @Test(arguments: [0, 0.1, 0.5, 0.9, 1] as [Float]) func dropoutKeepsItsShare(probability: Float) throws {
    let count = 20_011
    let ones = try AlignedBuffer<Float>(count: count)
    for index in 0..<count { ones.pointer[index] = 1 }
    var masks: [[Bool]] = []
    for seed in [1, 2, 1 << 40] as [UInt64] {
      let expected = try AlignedBuffer<Float>(count: count)
      blan_k_dropout(0, count, expected.pointer, ones.pointer, seed, probability, 1)
      // Every instruction set, any number of threads: one mask. In place as well.
      try expect("dropout \(probability)", matches: [expected, expected], within: 0) { threads in
        let apart = try AlignedBuffer<Float>(count: count)
        let within = try copy(ones)
        blan_k_dropout(0, count, apart.pointer, ones.pointer, seed, probability, threads)
        blan_k_dropout(0, count, within.pointer, within.pointer, seed, probability, threads)
        return [apart, within]
      }
      let mask = (0..<count).map { expected.pointer[$0] != 0 }
      let factors = Set((0..<count).filter { mask[$0] }.map { expected.pointer[$0] * (1 - probability) })
      #expect(factors.allSatisfy { abs($0 - 1) < 1e-6 })
      // Five standard deviations of a binomial count.
      let share = 1 - Double(probability)
      let kept = Double(mask.filter { $0 }.count)
      let spread = 5 * (Double(count) * share * (1 - share)).squareRoot()
      #expect(abs(kept - Double(count) * share) <= spread, "seed \(seed): \(kept) kept")
      // Neighbours, and elements a row of 16 or 512 or a piece of 16384 apart, are kept independently.
      for lag in [1, 16, 512, 16384] {
        let both = Double((0..<count - lag).filter { mask[$0] && mask[$0 + lag] }.count)
        #expect(abs(both - Double(count - lag) * share * share) <= spread + 1, "lag \(lag)")
      }
      masks.append(mask)
    }
    if probability == 0.5 {
      for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let same = Double((0..<count).filter { masks[a][$0] == masks[b][$0] }.count)
        #expect(abs(same - Double(count) / 2) <= 5 * (Double(count) / 4).squareRoot())
      }
    }
  }

  /// Backward is forward on gradients: whoever was kept passes its gradient, with the same factor.
  @Test func dropoutsGradientHasTheMaskOfItsValues() throws {
    var noise = Noise(35)
    let count = 5003
    let values = try CBLANKernelsTests.noise(count, &noise)
    let gradient = try CBLANKernelsTests.noise(count, &noise)
    let out = try AlignedBuffer<Float>(count: count)
    let back = try AlignedBuffer<Float>(count: count)
    blan_k_dropout(0, count, out.pointer, values.pointer, 99, 0.25, 2)
    blan_k_dropout(0, count, back.pointer, gradient.pointer, 99, 0.25, 1)
    // A part has the mask of its place in the whole, wherever the pieces of the work end.
    for first in [16, 16_384 - 32, 16_384, 40_000] {
      let whole = try CBLANKernelsTests.noise(first + count, &noise)
      let masked = try copy(whole)
      blan_k_dropout(0, first + count, masked.pointer, whole.pointer, 99, 0.25, 2)
      blan_k_dropout(first, count, out.pointer, whole.pointer + first, 99, 0.25, 2)
      #expect((0..<count).allSatisfy { out.pointer[$0] == masked.pointer[first + $0] }, "from \(first)")
    }
    blan_k_dropout(0, count, out.pointer, values.pointer, 99, 0.25, 2)
    let worst = (0..<count).filter { values.pointer[$0] != 0 }.reduce(Float(0)) {
      max($0, abs(back.pointer[$1] - out.pointer[$1] / values.pointer[$1] * gradient.pointer[$1]))
    }
    #expect(worst < 1e-6)
  }
}

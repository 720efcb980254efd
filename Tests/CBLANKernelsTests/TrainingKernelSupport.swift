import BLANTensors
import CBLANKernels
import Foundation
import Testing

/// Runs `kernel` on every instruction set with 1, 2 and 5 threads. Each buffer it returns must be within `tolerance`
/// (see ``relativeError(_:_:)``) of the one in its place in `expected`, and the same bit by bit for any number of
/// threads.
func expect(
  _ context: String, matches expected: [AlignedBuffer<Float>], within tolerance: Float,
  sourceLocation: SourceLocation = #_sourceLocation, kernel: (Int32) throws -> [AlignedBuffer<Float>]
) throws {
  var cases = 0
  try onEveryInstructionSet { isa in
    var first: [AlignedBuffer<Float>] = []
    for threads in [1, 2, 5] as [Int32] {
      let actual = try kernel(threads)
      try #require(actual.count == expected.count, sourceLocation: sourceLocation)
      for (index, (got, wanted)) in zip(actual, expected).enumerated() {
        try #require(got.count == wanted.count, sourceLocation: sourceLocation)
        let error = relativeError(got, wanted)
        #expect(
          error <= tolerance, "\(context), isa \(isa), \(threads) threads, result \(index)",
          sourceLocation: sourceLocation)
      }
      if first.isEmpty { first = actual }
      for (index, (got, reference)) in zip(actual, first).enumerated() {
        #expect(
          sameBits(got, reference), "\(context), isa \(isa): result \(index) changes with \(threads) threads",
          sourceLocation: sourceLocation)
      }
      cases += 1
    }
  }
  #expect(cases >= 3, "\(context): nothing ran", sourceLocation: sourceLocation)
}

func sameBits(_ a: AlignedBuffer<Float>, _ b: AlignedBuffer<Float>) -> Bool {
  a.count == b.count && memcmp(a.pointer, b.pointer, a.count * MemoryLayout<Float>.stride) == 0
}

/// A copy that kernels may write to.
func copy(_ buffer: AlignedBuffer<Float>) throws -> AlignedBuffer<Float> {
  let result = try AlignedBuffer<Float>(count: buffer.count)
  result.pointer.update(from: buffer.pointer, count: buffer.count)
  return result
}

func noise(_ count: Int, _ noise: inout Noise) throws -> AlignedBuffer<Float> {
  let result = try AlignedBuffer<Float>(count: count)
  noise.fill(result)
  return result
}

/// A buffer of NaN, so that a cell that a kernel leaves out, or reads before it wrote it, shows.
func poisoned(_ count: Int) throws -> AlignedBuffer<Float> {
  let result = try AlignedBuffer<Float>(count: count)
  for index in 0..<count { result.pointer[index] = .nan }
  return result
}

/// Sum of products in double: a loss whose gradient with respect to `a` is `b`.
func dot(_ a: AlignedBuffer<Float>, _ b: AlignedBuffer<Float>) -> Double {
  (0..<a.count).reduce(0) { $0 + Double(a.pointer[$1]) * Double(b.pointer[$1]) }
}

/// Compares `gradient` with central differences of `loss` at `elements` of `parameter`. A loss of n float outputs of
/// magnitude 1 carries a rounding error of about 6e-8 sqrt(n), which the difference divides by twice the step; the
/// tolerance is relative to the largest gradient and must leave room for that and for the curvature.
func expectGradient(
  _ context: String, _ gradient: AlignedBuffer<Float>, of parameter: AlignedBuffer<Float>, at elements: [Int],
  step: Float, tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation, loss: () throws -> Double
) throws {
  try #require(!elements.isEmpty, "\(context): nothing to compare", sourceLocation: sourceLocation)
  let scale = elements.reduce(1e-3) { max($0, abs(Double(gradient.pointer[$1]))) }
  for element in elements {
    let value = parameter.pointer[element]
    parameter.pointer[element] = value + step
    let above = try loss()
    let up = parameter.pointer[element]
    parameter.pointer[element] = value - step
    let below = try loss()
    let width = Double(up) - Double(parameter.pointer[element])
    parameter.pointer[element] = value
    let expected = (above - below) / width
    let actual = Double(gradient.pointer[element])
    #expect(
      abs(actual - expected) <= tolerance * scale, "\(context)[\(element)]: \(actual), finite difference \(expected)",
      sourceLocation: sourceLocation)
  }
}

/// At most `limit` indices below `count`, spread evenly.
func spread(_ count: Int, limit: Int = 40) -> [Int] {
  let step = max(1, count / limit)
  return Array(stride(from: 0, to: count, by: step))
}

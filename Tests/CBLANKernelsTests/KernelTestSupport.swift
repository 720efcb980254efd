import BLANTensors
import CBLANKernels
import Testing

/// A blocked map, [batch][blocks][height][width][16], filled with seeded noise in its real channels.
struct BlockedMap {
  let shape: TensorShape
  let batch: Int
  let buffer: AlignedBuffer<Float>

  init(_ shape: TensorShape, batch: Int) throws {
    self.shape = shape
    self.batch = batch
    buffer = try AlignedBuffer(count: max(batch * shape.blockedCount, 16))
  }

  init(_ shape: TensorShape, batch: Int, noise: inout Noise) throws {
    try self.init(shape, batch: batch)
    for image in 0..<batch {
      for channel in 0..<shape.channels {
        for place in 0..<shape.area { self[image, channel, place] = noise.next() }
      }
    }
  }

  var pointer: UnsafeMutablePointer<Float> { buffer.pointer }

  subscript(image: Int, channel: Int, place: Int) -> Float {
    get { buffer.pointer[index(image, channel, place)] }
    nonmutating set { buffer.pointer[index(image, channel, place)] = newValue }
  }

  private func index(_ image: Int, _ channel: Int, _ place: Int) -> Int {
    ((image * ChannelBlock.count(shape.channels) + channel / 16) * shape.area + place) * 16 + channel % 16
  }
}

/// Seeded uniform noise in [-1, 1).
struct Noise {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 2 &+ 1 }
  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int64(state >> 33) - (1 << 30)) / Float(1 << 30)
  }
  mutating func fill(_ buffer: AlignedBuffer<Float>) {
    for index in 0..<buffer.count { buffer.pointer[index] = next() }
  }
}

/// Every instruction set that this CPU has.
func supportedInstructionSets() -> [blan_k_isa] {
  let before = blan_k_isa_current()
  defer { blan_k_isa_select(before) }
  return [BLAN_K_ISA_PORTABLE, BLAN_K_ISA_AVX2, BLAN_K_ISA_AVX512].filter { blan_k_isa_select($0) == $0 }
}

/// Runs `body` on each instruction set in turn; the choice is this thread's alone.
func onEveryInstructionSet(_ body: (blan_k_isa) throws -> Void) rethrows {
  let before = blan_k_isa_current()
  defer { blan_k_isa_select(before) }
  for isa in supportedInstructionSets() {
    blan_k_isa_select(isa)
    try body(isa)
  }
}

/// The largest difference of two buffers, relative to the largest magnitude of the second (at least 1e-20).
func relativeError(_ a: AlignedBuffer<Float>, _ b: AlignedBuffer<Float>) -> Float {
  var difference: Float = 0
  var magnitude: Float = 1e-20
  for index in 0..<b.count {
    difference = max(difference, abs(a.pointer[index] - b.pointer[index]))
    magnitude = max(magnitude, abs(b.pointer[index]))
    if a.pointer[index].isNaN { return .infinity }
  }
  return difference / magnitude
}

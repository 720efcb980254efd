import BLANTensors
import CBLANKernels

/// What follows the convolutions of R-Net and O-Net: a fully connected layer with PReLU, and the heads as one layer.
final class DenseHead: @unchecked Sendable {
  let inputs: Int
  let hidden: Int
  let outputs: Int
  /// Floats from one row of outputs to the next.
  var outputStep: Int { ChannelBlock.padded(outputs) }

  private let slope: [Float]
  private let bias: (hidden: [Float], heads: [Float])
  private let packed: (hidden: AlignedBuffer<Float>, heads: AlignedBuffer<Float>)

  init(_ network: CascadeNetwork, _ dense: CascadeNetwork.Dense, _ source: some TensorSource) throws {
    let area = dense.side * dense.side
    inputs = ChannelBlock.padded(dense.channels) * area
    hidden = dense.outputs
    outputs = network.headOutputs
    slope = try source.values(network.slope(dense.number), [dense.outputs])
    let weights = try source.values(network.weight(of: dense), [dense.outputs, dense.channels * area])
    let ordered = Self.fromColumnMajor(weights, dense)
    packed.hidden = try AlignedBuffer(
      count: blan_k_linear_padded_outputs(hidden) * inputs, purpose: network.weight(of: dense))
    blan_k_linear_pack(ordered, hidden, dense.channels, area, packed.hidden.pointer, 1)
    bias.hidden = try source.values(network.bias(of: dense), [dense.outputs])
    packed.heads = try AlignedBuffer(
      count: blan_k_linear_padded_outputs(outputs) * ChannelBlock.padded(hidden), purpose: "\(network.prefix)'s heads")
    let heads = try network.heads.flatMap { try source.values(network.weight(of: $0), network.shape(of: $0)) }
    blan_k_linear_pack(heads, outputs, hidden, 1, packed.heads.pointer, 1)
    bias.heads = try network.heads.flatMap { try source.values(network.bias(of: $0), [$0.outputs]) }
  }

  /// The networks were trained on maps flattened in the order width, height, channel; kernels want channel, height, width.
  private static func fromColumnMajor(_ weights: [Float], _ dense: CascadeNetwork.Dense) -> [Float] {
    let (side, channels) = (dense.side, dense.channels)
    let area = side * side
    var result = [Float](repeating: 0, count: weights.count)
    for row in 0..<dense.outputs {
      for channel in 0..<channels {
        for y in 0..<side {
          for x in 0..<side {
            result[(row * channels + channel) * area + y * side + x] =
              weights[row * channels * area + (x * side + y) * channels + channel]
          }
        }
      }
    }
    return result
  }

  /// - Parameters:
  ///   - maps: `count` blocked maps of the last convolution.
  ///   - hiddenRows: room for `count` x `hidden` floats.
  ///   - out: `count` x `outputStep` floats.
  func forward(
    count: Int, _ maps: UnsafePointer<Float>, hiddenRows: UnsafeMutablePointer<Float>,
    into out: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let threads = Int32(clamping: threads)
    blan_k_linear_forward(
      count, inputs, hidden, hiddenRows, hidden, maps, packed.hidden.pointer, bias.hidden, threads)
    for row in 0..<count {
      for index in 0..<hidden where hiddenRows[row * hidden + index] < 0 {
        hiddenRows[row * hidden + index] *= slope[index]
      }
    }
    blan_k_linear_forward(
      count, hidden, outputs, out, outputStep, hiddenRows, packed.heads.pointer, bias.heads, threads)
  }
}

extension TensorSource {
  fileprivate func values(_ name: String, _ shape: [Int]) throws -> [Float] {
    try withTensor(name, shape: shape) { Array($0) }
  }
}

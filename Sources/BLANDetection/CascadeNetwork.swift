/// One of MTCNN's three networks (Zhang et al. 2016, Fig. 2), described once: layers, shapes and tensor names.
///
/// Every convolution is unpadded with stride 1, a bias and a PReLU; pools have stride 2 and a last window that may reach
/// over the edge.
struct CascadeNetwork: Sendable {
  struct Convolution: Sendable {
    /// The layer's number in tensor names: `conv1`, `prelu1`.
    let number: Int
    let inputs: Int
    let outputs: Int
    let kernel: Int
    /// Side of the max-pool's windows; 0 for none.
    let pool: Int
  }

  struct Dense: Sendable {
    /// `dense4`, `prelu4`.
    let number: Int
    /// Channels and side of the map that it flattens.
    let channels: Int
    let side: Int
    let outputs: Int
  }

  /// One of the linear outputs that follow each other: `conv4_1`, `dense5_2`.
  struct Head: Sendable {
    let name: String
    let outputs: Int
  }

  /// What tensor names begin with.
  let prefix: String
  /// Side of the square that one output sees, in pixels.
  let window: Int
  let convolutions: [Convolution]
  /// nil for P-Net, whose heads are 1x1 convolutions.
  let dense: Dense?
  /// Scores (2: no face, face), box offsets (4), and O-Net's landmarks (10: five x, five y).
  let heads: [Head]

  var headOutputs: Int { heads.reduce(0) { $0 + $1.outputs } }
  /// Inputs of each head.
  var headInputs: Int { dense?.outputs ?? convolutions[convolutions.count - 1].outputs }

  /// Proposes faces everywhere in an image.
  static let pNet = CascadeNetwork(
    prefix: "pnet", window: 12,
    convolutions: [
      Convolution(number: 1, inputs: 3, outputs: 10, kernel: 3, pool: 2),
      Convolution(number: 2, inputs: 10, outputs: 16, kernel: 3, pool: 0),
      Convolution(number: 3, inputs: 16, outputs: 32, kernel: 3, pool: 0),
    ],
    dense: nil, heads: [Head(name: "conv4_1", outputs: 2), Head(name: "conv4_2", outputs: 4)])

  /// Refuses most proposals.
  static let rNet = CascadeNetwork(
    prefix: "rnet", window: 24,
    convolutions: [
      Convolution(number: 1, inputs: 3, outputs: 28, kernel: 3, pool: 3),
      Convolution(number: 2, inputs: 28, outputs: 48, kernel: 3, pool: 3),
      Convolution(number: 3, inputs: 48, outputs: 64, kernel: 2, pool: 0),
    ],
    dense: Dense(number: 4, channels: 64, side: 3, outputs: 128),
    heads: [Head(name: "dense5_1", outputs: 2), Head(name: "dense5_2", outputs: 4)])

  /// Decides, and finds the landmarks.
  static let oNet = CascadeNetwork(
    prefix: "onet", window: 48,
    convolutions: [
      Convolution(number: 1, inputs: 3, outputs: 32, kernel: 3, pool: 3),
      Convolution(number: 2, inputs: 32, outputs: 64, kernel: 3, pool: 3),
      Convolution(number: 3, inputs: 64, outputs: 64, kernel: 3, pool: 2),
      Convolution(number: 4, inputs: 64, outputs: 128, kernel: 2, pool: 0),
    ],
    dense: Dense(number: 5, channels: 128, side: 3, outputs: 256),
    heads: [
      Head(name: "dense6_1", outputs: 2), Head(name: "dense6_2", outputs: 4), Head(name: "dense6_3", outputs: 10),
    ])

  static let all = [pNet, rNet, oNet]
}

extension CascadeNetwork {
  /// Every tensor and its shape in torch's layout.
  var tensors: [(name: String, shape: [Int])] {
    var result: [(name: String, shape: [Int])] = []
    for layer in convolutions {
      result.append((weight(of: layer), [layer.outputs, layer.inputs, layer.kernel, layer.kernel]))
      result.append((bias(of: layer), [layer.outputs]))
      result.append((slope(layer.number), [layer.outputs]))
    }
    if let dense {
      result.append((weight(of: dense), [dense.outputs, dense.channels * dense.side * dense.side]))
      result.append((bias(of: dense), [dense.outputs]))
      result.append((slope(dense.number), [dense.outputs]))
    }
    for head in heads {
      result.append((weight(of: head), shape(of: head)))
      result.append((bias(of: head), [head.outputs]))
    }
    return result
  }

  func weight(of layer: Convolution) -> String { "\(prefix).conv\(layer.number).weight" }
  func bias(of layer: Convolution) -> String { "\(prefix).conv\(layer.number).bias" }
  func weight(of layer: Dense) -> String { "\(prefix).dense\(layer.number).weight" }
  func bias(of layer: Dense) -> String { "\(prefix).dense\(layer.number).bias" }
  func slope(_ number: Int) -> String { "\(prefix).prelu\(number).weight" }
  func weight(of head: Head) -> String { "\(prefix).\(head.name).weight" }
  func bias(of head: Head) -> String { "\(prefix).\(head.name).bias" }

  /// P-Net's heads are 1x1 convolutions, which have two dimensions more.
  func shape(of head: Head) -> [Int] {
    dense == nil ? [head.outputs, headInputs, 1, 1] : [head.outputs, headInputs]
  }
}

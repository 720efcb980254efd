import BLANTensors

/// An image at the sizes at which P-Net looks for faces, cut into tiles of its output that are worked on apart.
struct Pyramid {
  struct Level: Sendable {
    /// Of the image: a face of 12 / scale pixels fills P-Net's window.
    let scale: Double
    /// Of the reduced image.
    let width: Int
    let height: Int
    /// Of P-Net's output.
    let outputWidth: Int
    let outputHeight: Int
  }

  /// A rectangle of one level's output and the part of the reduced image that it is made from.
  struct Tile: Sendable {
    let level: Int
    let x: Int
    let y: Int
    let width: Int
    let height: Int
    let input: PixelRect
  }

  /// Pixels between neighbouring outputs of P-Net.
  static let stride = 2
  /// Memory of a tile stays in the cache; the ten pixels that its neighbours compute too are few beside it.
  static let tileWidth = 128
  static let tileHeight = 32

  private(set) var levels: [Level] = []
  private(set) var tiles: [Tile] = []

  /// - Parameters:
  ///   - minimumFace: the smallest face in pixels that is looked for.
  ///   - factor: of one level's size to the next larger one's, below 1.
  init(width: Int, height: Int, minimumFace: Double, factor: Double, network: ConvolutionChain) {
    let window = Double(CascadeNetwork.pNet.window)
    var scale = window / minimumFace
    var side = Double(min(width, height)) * scale
    while side >= window {
      let reduced = (width: Int(Double(width) * scale + 1), height: Int(Double(height) * scale + 1))
      let level = Level(
        scale: scale, width: reduced.width, height: reduced.height, outputWidth: network.extent(reduced.width),
        outputHeight: network.extent(reduced.height))
      addTiles(of: level)
      levels.append(level)
      scale *= factor
      side *= factor
    }
  }

  private mutating func addTiles(of level: Level) {
    // Outputs of a tile see this much beyond their first pixels.
    let margin = CascadeNetwork.pNet.window - Self.stride
    for y in Swift.stride(from: 0, to: level.outputHeight, by: Self.tileHeight) {
      for x in Swift.stride(from: 0, to: level.outputWidth, by: Self.tileWidth) {
        let width = min(Self.tileWidth, level.outputWidth - x)
        let height = min(Self.tileHeight, level.outputHeight - y)
        let input = PixelRect(
          x: Self.stride * x, y: Self.stride * y,
          width: min(Self.stride * width + margin, level.width - Self.stride * x),
          height: min(Self.stride * height + margin, level.height - Self.stride * y))
        tiles.append(Tile(level: levels.count, x: x, y: y, width: width, height: height, input: input))
      }
    }
  }
}

import BLANImages
import BLANTensors

@testable import BLANData

/// What prediction would make of the same files.
enum PreparedDirectly {
  static func largestDifference(_ batch: Batch, _ paths: [String], size: Int) throws -> Float {
    let preprocessor = Preprocessor(size: size, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])
    let planes = try AlignedBuffer<Float>(count: 3 * size * size)
    var largest: Float = batch.count == paths.count ? 0 : .infinity
    for (place, path) in paths.enumerated() {
      try ImageDecoder().decode(path: path).withView {
        try preprocessor.prepare($0, into: planes.pointer, scratch: ResizeScratch(), threads: 1)
      }
      for index in 0..<planes.count {
        largest = max(largest, abs(batch.pixels.elements[place * planes.count + index] - planes.elements[index]))
      }
    }
    return largest
  }
}

import BLANImages
import BLANNetwork
import BLANTensors
import BLANWeights

/// A model file ready to predict from tensors, images and files.
///
/// It never changes after loading: any number of threads may use one at the same time.
public final class FaceModel: Sendable {
  public let description: ModelDescription
  /// `blan.config` as it stood in the file.
  public let configurationText: String
  public let predictor: Predictor
  private let preprocessor: Preprocessor

  public var configuration: Configuration { description.configuration }

  /// - Parameters:
  ///   - file: read during the call and not kept.
  ///   - threads: threads a call works on, 1 to 1024; 0 for ``ThreadBudget/automatic()``.
  ///   - precision: what it computes with; nil for what the file asks for.
  public init(_ file: ModelFile, threads: Int, precision: Precision? = nil) throws {
    let precision = precision ?? file.description.precision
    guard precision != .int8 || file.hasRanges else {
      throw BLANError.unsupported(
        "\(file.name) was not calibrated, which computing in int8 needs: `blan quantize` writes a model that is")
    }
    description = file.description
    configurationText = file.configurationText
    let configuration = file.description.configuration
    predictor = try Predictor(
      configuration: configuration, source: file, threads: threads, precision: precision,
      temperatures: file.description.temperatures)
    preprocessor = Preprocessor(size: configuration.inputSize, mean: configuration.mean, std: configuration.std)
  }

  /// Resizes and normalises one image: 3 x S x S floats.
  public func preprocess(_ view: ImageView, into pixels: UnsafeMutablePointer<Float>) throws {
    try preprocessor.prepare(view, into: pixels, scratch: ResizeScratch(), threads: predictor.threads)
  }

  /// Predicts from images of any size.
  ///
  /// - Throws: the error of the first image that cannot be prepared; the outputs are then unspecified.
  public func predict(_ images: [ImageView], into outputs: PredictionOutputs) throws {
    let failures = try predict(count: images.count, into: outputs) { index, body in try body(images[index]) }
    if let failure = failures.first { throw failure.error }
  }

  /// An item of a batch that could not be read.
  public struct ItemFailure {
    public let index: Int
    public let error: BLANError
  }

  /// Predicts from encoded images, which `load` reads on several threads at once.
  ///
  /// - Returns: the items that could not be read, in order; all their outputs are NaN.
  public func predictEncoded(
    count: Int, into outputs: PredictionOutputs, load: (Int) throws -> Image
  ) throws -> [ItemFailure] {
    let failures = try predict(count: count, into: outputs) { index, body in try load(index).withView(body) }
    for failure in failures { predictor.fillWithNaN(outputs.advanced(by: failure.index, predictor.network)) }
    return failures
  }

  private func predict(
    count: Int, into outputs: PredictionOutputs, view: (Int, (ImageView) throws -> Void) throws -> Void
  ) throws -> [ItemFailure] {
    var failures: [ItemFailure] = []
    try predictor.predict(batch: count, into: outputs) { context, first, count in
      let pixels = try context.preparedPixels()
      failures += prepare(first..<first + count, in: context, pixels, view)
      return UnsafePointer(pixels)
    }
    return failures
  }

  /// Prepares some images into consecutive places: several at once, or a single one on all threads.
  private func prepare(
    _ range: Range<Int>, in context: ExecutionContext, _ pixels: UnsafeMutablePointer<Float>,
    _ view: (Int, (ImageView) throws -> Void) throws -> Void
  ) -> [ItemFailure] {
    let imageFloats = 3 * preprocessor.size * preprocessor.size
    let threads = range.count == 1 ? predictor.threads : 1
    return withUnsafeTemporaryAllocation(of: BLANError?.self, capacity: range.count) { errors in
      errors.initialize(repeating: nil)
      defer { errors.deinitialize() }
      parallelFor(threads: predictor.threads, count: range.count) { offset, worker in
        let place = pixels + offset * imageFloats
        do {
          try view(range.lowerBound + offset) {
            try preprocessor.prepare($0, into: place, scratch: context.resizeScratch[worker], threads: threads)
          }
        } catch {
          errors[offset] = error as? BLANError ?? .internal("\(error)")
          place.update(repeating: 0, count: imageFloats)
        }
      }
      return errors.enumerated().compactMap { offset, error in
        error.map { ItemFailure(index: range.lowerBound + offset, error: $0) }
      }
    }
  }
}

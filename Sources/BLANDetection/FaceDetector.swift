import BLANImages
import BLANTensors

/// The MTCNN cascade (Zhang et al. 2016): finds faces and five landmarks of each.
///
/// It computes what facenet-pytorch's `detect_face` does. It never changes after loading: any number of threads may use
/// one at the same time; each call works on `threads` threads, and results do not depend on that number.
public final class FaceDetector: Sendable {
  /// Larger images are refused: sums of their pixels would not fit.
  public static let largestSide = 32_768

  /// Where the detector's landmarks lie in CelebA's aligned frame: their mean over 1,978 aligned images of celeba-8k's
  /// training part. They differ from those that CelebA's images were aligned by about a pixel and a half.
  public static let template = [
    FaceAlignment.Point(70.1, 112.3), FaceAlignment.Point(109.1, 112.3), FaceAlignment.Point(88.9, 136.2),
    FaceAlignment.Point(72.1, 153.8), FaceAlignment.Point(106.8, 153.7),
  ]

  public let threads: Int
  private let pNet: ConvolutionChain
  private let rNet: CropNetwork
  private let oNet: CropNetwork
  private let pool = ContextPool<DetectionContext>()

  /// - Parameters:
  ///   - file: read during the call and not kept.
  ///   - threads: threads a call works on, 1 to 1024; 0 for ``ThreadBudget/automatic()``.
  public convenience init(_ file: DetectorFile, threads: Int) throws { try self.init(weights: file, threads: threads) }

  init(weights file: some TensorSource, threads: Int) throws {
    self.threads = try ThreadBudget.resolve(threads)
    pNet = try ConvolutionChain(.pNet, file)
    rNet = try CropNetwork(.rNet, file)
    oNet = try CropNetwork(.oNet, file)
  }

  /// The faces of an image, the largest first.
  ///
  /// - Throws: `BLANError.invalidArgument` for options out of range, `.shape` for an image above ``largestSide``,
  ///   `.outOfMemory`.
  public func detect(_ view: ImageView, _ options: DetectionOptions = DetectionOptions()) throws -> [Face] {
    try options.validate()
    guard max(view.width, view.height) <= Self.largestSide else {
      throw BLANError.shape(
        "the image is \(view.width)x\(view.height); faces are looked for in sides up to \(Self.largestSide)")
    }
    let faces = try pool.withContext { _ in
      true
    } make: {
      DetectionContext(threads: threads)
    } body: { context in
      let pyramid = Pyramid(
        width: view.width, height: view.height, minimumFace: options.minimumFace, factor: options.factor, network: pNet)
      let proposals = Proposals(chain: pNet, threshold: options.thresholds[0], threads: threads)
      let proposed = try proposals.find(view, pyramid, context)
      let refined = try refine(proposed, view, options.thresholds[1], context)
      return try decide(refined, view, options.thresholds[2], context)
    }
    let ordered = faces.enumerated().sorted { ($1.element.box.area, $0.offset) < ($0.element.box.area, $1.offset) }
    let wanted = options.maximumFaces == 0 ? ordered.count : options.maximumFaces
    return ordered.prefix(wanted).map(\.element)
  }

  /// A face that was found, warped to CelebA's aligned frame.
  public static func align(_ view: ImageView, _ face: Face, threads: Int) throws -> Image {
    try FaceAlignment.align(view, landmarks: face.landmarks, template: template, threads: threads)
  }

  /// Where `align` takes each pixel of the aligned frame from.
  public static func frame(_ face: Face) throws -> Similarity {
    try FaceAlignment.frame(landmarks: face.landmarks, template: template)
  }

  /// The second stage: R-Net on the proposals, their boxes corrected and made square.
  private func refine(
    _ proposed: [Candidate], _ view: ImageView, _ threshold: Float, _ context: DetectionContext
  ) throws -> [Box] {
    let boxes = proposed.map { candidate in
      candidate.box.moved(by: candidate.offsets, width: candidate.box.width, height: candidate.box.height).squared
    }
    let passed = try look(rNet, at: boxes, view, threshold, context)
    let kept = Suppression.overUnion(passed.map(\.box), scores: passed.map(\.score), threshold: 0.7)
    return kept.map { passed[$0].corrected.squared }
  }

  /// The third stage: O-Net decides, corrects the boxes and places the landmarks.
  private func decide(
    _ boxes: [Box], _ view: ImageView, _ threshold: Float, _ context: DetectionContext
  ) throws -> [Face] {
    let passed = try look(oNet, at: boxes, view, threshold, context)
    let corrected = passed.map(\.corrected)
    let kept = Suppression.overSmaller(corrected, scores: passed.map(\.score), threshold: 0.7)
    return kept.compactMap { index in
      let (box, outputs) = (passed[index].box, passed[index].outputs)
      let points = (0..<5).map { point in
        FaceAlignment.Point(
          Double((box.width + 1) * outputs[6 + point] + box.x0 - 1),
          Double((box.height + 1) * outputs[11 + point] + box.y0 - 1))
      }
      let face = Face(box: corrected[index], score: passed[index].score, landmarks: points)
      return face.isFinite ? face : nil
    }
  }

  /// What a network said of a box that passed.
  private struct Verdict {
    let box: Box
    let score: Float
    let outputs: [Float]

    /// The box with the network's offsets, of sides where both end pixels count.
    var corrected: Box {
      box.moved(
        by: Box(outputs[2], outputs[3], outputs[4], outputs[5]), width: box.width + 1, height: box.height + 1)
    }
  }

  /// Shows the boxes to a network; those whose score is above the threshold pass.
  private func look(
    _ network: CropNetwork, at boxes: [Box], _ view: ImageView, _ threshold: Float, _ context: DetectionContext
  ) throws -> [Verdict] {
    let inside = boxes.compactMap { box in
      box.pixels(width: view.width, height: view.height).map { (box: box, pixels: $0) }
    }
    let outputs = try network.run(view, inside.map(\.pixels), context, threads: threads)
    return zip(inside, outputs).compactMap { inside, outputs in
      let score = outputs.withUnsafeBufferPointer { values in values.baseAddress.map(probability) ?? 0 }
      return score > threshold ? Verdict(box: inside.box, score: score, outputs: outputs) : nil
    }
  }
}

extension Face {
  /// False where damaged weights gave numbers that are no place.
  fileprivate var isFinite: Bool {
    [box.x0, box.y0, box.x1, box.y1].allSatisfy(\.isFinite) && landmarks.allSatisfy { $0.x.isFinite && $0.y.isFinite }
  }
}

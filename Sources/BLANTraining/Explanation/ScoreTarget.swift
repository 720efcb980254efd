import BLANInference
import BLANNetwork
import BLANTensors

/// A number of the network's that is explained: how far "present" lies above "absent" for one attribute, before any
/// softmax or temperature.
public struct ScoreTarget: Sendable, Hashable {
  /// z of Eq. 6, what the probability comes from; s_5 where the variant fuses no scores.
  public static let decision = 0
  /// s_5, the sum of the four classifiers' scores.
  public static let sum = Network.levelCount + 1

  public let attribute: Int
  /// ``decision``, 1 to 4 for s_1..s_4 of one classifier, or ``sum``.
  public let level: Int

  public init(attribute: Int, level: Int = decision) {
    self.attribute = attribute
    self.level = level
  }

  /// - Throws: `BLANError.invalidArgument` for an empty list, and for a target that the network does not have.
  static func check(_ targets: [ScoreTarget], _ configuration: Configuration) throws {
    guard !targets.isEmpty else { throw BLANError.invalidArgument("there are no targets; expected at least 1") }
    let attributes = configuration.attributes.count
    for (index, target) in targets.enumerated() {
      guard (0..<attributes).contains(target.attribute) else {
        throw BLANError.invalidArgument(
          "targets[\(index)].attribute is \(target.attribute); the model has \(attributes) attributes")
      }
      guard (decision...sum).contains(target.level) else {
        throw BLANError.invalidArgument(
          "targets[\(index)].level is \(target.level); expected \(decision) (the decision), 1 to \(Network.levelCount) "
            + "(one classifier) or \(sum) (their sum)")
      }
    }
  }
}

/// What takes the classifiers' scores to a target: the sum over levels of `levels[i]` times s_i[present] - s_i[absent].
struct ScoreWeights {
  let attribute: Int
  let levels: [Float]

  /// - Parameter fusion: W, [5][N]; nil where the variant fuses no scores.
  init(_ target: ScoreTarget, fusion: UnsafePointer<Float>?, attributes: Int) {
    attribute = target.attribute
    let sum = Network.levelCount
    levels = (0..<Network.levelCount).map { level in
      switch target.level {
      case ScoreTarget.decision:
        guard let fusion else { return 1 }
        return fusion[level * attributes + target.attribute] + fusion[sum * attributes + target.attribute]
      case ScoreTarget.sum: return 1
      default: return target.level == level + 1 ? 1 : 0
      }
    }
  }
}

/// The end of a plan that explains: the gradient of one attribute's score with respect to the classifiers' scores.
struct ExplainedScore: TrainingLayer {
  /// s_1..s_4: (2N rounded up to 16) each.
  let scores: [MapID]
  let attributes: Int

  var output: MapID? { nil }
  var inputs: [MapID] { scores }
  var keptForBackward: [MapID] { scores }
  var differentiated: [MapID] { scores }
  var parameters: [ParameterStore.Slot] { [] }
  func workspaceCount(batch: Int, threads: Int32) -> Int { 0 }
  func forward(_ run: LayerRun) {}

  func backward(_ run: LayerRun) {
    guard let explained = run.explained else { return }
    for (score, weight) in zip(scores, explained.levels) {
      // Nothing else reads the scores.
      _ = run.target(score)
      let gradient = run.gradient(score)
      gradient.update(repeating: 0, count: ChannelBlock.padded(2 * attributes))
      gradient[2 * explained.attribute] = -weight
      gradient[2 * explained.attribute + 1] = weight
    }
  }

  /// The score itself, once the forward pass is done.
  func value(_ run: LayerRun, _ explained: ScoreWeights) -> Float {
    zip(scores, explained.levels).reduce(0) { sum, pair in
      let values = run.values(pair.0) + 2 * explained.attribute
      return sum + pair.1 * (values[1] - values[0])
    }
  }
}

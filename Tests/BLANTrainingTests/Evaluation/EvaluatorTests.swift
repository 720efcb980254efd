import BLANData
import BLANTensors
import FoundationEssentials
import Testing

@testable import BLANTraining

@Suite struct EvaluatorTests {
  private let small: SmallModel

  init() throws { small = try SmallModel(thresholds: [0.5, 0.2, 0.9]) }

  /// Labels of B and A, not C; and of D, which the model does not know.
  private func data(_ paths: [String]) throws -> Dataset {
    try Dataset(
      source: "photos", attributes: ["B", "D", "A"], paths: paths,
      labels: paths.indices.flatMap { [$0 % 3 == 0 ? 1 : -1, $0 < 2 ? 1 : -1, $0 == 4 ? 0 : 1] as [Int8] })
  }

  @Test func probabilitiesAndLabelsMeetByName() throws {
    let paths = SmallModel.photos(5)
    let evaluation = try Evaluator.evaluate(small.model, on: data(paths))
    #expect(evaluation.outcome.attributes == SmallModel.attributes)
    #expect(evaluation.outcome.probabilities == (try small.probabilities(paths)))
    #expect(evaluation.outcome.labels == [1, 1, 0, 1, -1, 0, 1, -1, 0, 1, 1, 0, 0, -1, 0])
    let support = evaluation.metrics.map { metric in
      [metric.measures.confusion.positives, metric.measures.confusion.negatives, metric.unknown]
    }
    #expect(support == [[4, 0, 1], [2, 3, 0], [0, 0, 5]])
    // Its own threshold decides, not 0.5.
    let decided = (0..<5).count { evaluation.outcome.probabilities[3 * $0 + 1] >= 0.2 }
    let confusion = evaluation.metrics[1].measures.confusion
    #expect(confusion.truePositives + confusion.falsePositives == decided)
    #expect(evaluation.metrics[2][.accuracy].isNaN)
  }

  @Test func batchesChangeNothing() throws {
    let data = try data(SmallModel.photos(5))
    var options = Evaluator.Options()
    options.groups = ["D"]
    options.resampling = Evaluation.Resampling(count: 20, seed: 3)
    let whole = try Evaluator.evaluate(small.model, on: data, options).json()
    options.reading.batch = 2
    var reported: [Int] = []
    options.reading.progress = {
      reported.append($0)
      return true
    }
    #expect(try Evaluator.evaluate(small.model, on: data, options).json() == whole)
    #expect(reported == [2, 4, 5])
  }

  @Test func levelsAgreeWithTheFusedDecision() throws {
    let evaluation = try Evaluator.evaluate(small.model, on: data(SmallModel.photos(5)))
    let right = (0..<4).count { evaluation.outcome.probabilities[3 * $0] >= 0.5 }
    #expect(evaluation.levels.accuracy(level: 5, attribute: 0) == Double(right) / 4)
  }

  @Test func anUnreadableImageStopsOrIsNamedAndSkipped() throws {
    var paths = SmallModel.photos(4)
    paths[2] = "/nowhere/face.jpg"
    let data = try data(paths)
    let error = #expect(throws: BLANError.self) { try Evaluator.evaluate(small.model, on: data) }
    #expect(error?.kind == .io && error?.message.contains("/nowhere/face.jpg") == true)

    var options = Evaluator.Options()
    options.reading.unreadable = .skip
    options.reading.batch = 3
    var skipped: [Int] = []
    options.reading.onSkipped = { item, _ in skipped.append(item) }
    let evaluation = try Evaluator.evaluate(small.model, on: data, options)
    #expect(skipped == [2] && evaluation.unreadable.map(\.item) == [2] && evaluation.count == 3)
    #expect(evaluation.unreadable[0].message.contains("/nowhere/face.jpg"))
    #expect(evaluation.outcome.probabilities[6..<9].allSatisfy { $0.isNaN })
    let without = try Evaluator.evaluate(small.model, on: data.subset([0, 1, 3]))
    #expect(evaluation.metrics.map(\.measures.confusion) == without.metrics.map(\.measures.confusion))
    #expect(
      (0..<6).map { evaluation.levels.accuracy(level: $0, attribute: 0) }
        == (0..<6).map {
          without.levels.accuracy(level: $0, attribute: 0)
        })
  }

  @Test func theCallerMayStop() throws {
    var options = Evaluator.Options()
    options.reading.batch = 1
    options.reading.progress = { $0 < 2 }
    let error = #expect(throws: BLANError.self) {
      try Evaluator.evaluate(small.model, on: data(SmallModel.photos(4)), options)
    }
    #expect(error?.kind == .cancelled && error?.message.contains("2 of 4") == true)
  }

  @Test func wrongOptionsAreRefused() throws {
    let data = try data(SmallModel.photos(1))
    for change in [
      { $0.reading.batch = 0 }, { $0.reading.batch = 100_000 }, { $0.resampling.count = -1 },
      { $0.resampling.count = 1_000_000 }, { $0.groups = ["Beard"] },
    ] as [(inout Evaluator.Options) -> Void] {
      var options = Evaluator.Options()
      change(&options)
      let error = #expect(throws: BLANError.self) { try Evaluator.evaluate(small.model, on: data, options) }
      #expect(error?.kind == .invalidArgument)
    }
    let other = try Dataset(source: "other", attributes: ["X"], paths: ["x"], labels: [1])
    let error = #expect(throws: BLANError.self) { try Evaluator.evaluate(small.model, on: other) }
    #expect(error?.message.contains("none of the model's attributes") == true)
  }

  // MARK: - The report

  private struct Report: Decodable {
    struct Attribute: Decodable {
      let name: String
      let positives: Int
      let negatives: Int
      let unknown: Int
      let accuracy: Double?
      let majority: Double?
      let trainingMajority: Double?
    }
    struct Interval: Decodable { let value, low, high: Double? }
    struct Group: Decodable {
      let values: [String]
      let images: Int
      let tooFew: Bool
      let mean: [String: Interval]
    }
    struct Groups: Decodable {
      let by: [String]
      let groups: [Group]
    }
    struct Levels: Decodable {
      let names: [String]
      let attributes: [[Double?]]
    }
    let images: Int
    let mean: [String: Double?]
    let attributes: [Attribute]
    let levels: Levels
    let groups: [Groups]
  }

  @Test func theReportSaysWhatWasMeasured() throws {
    let data = try data(SmallModel.photos(5))
    var options = Evaluator.Options()
    options.groups = ["D"]
    options.training = try Dataset(source: "t", attributes: ["B"], paths: ["x"], labels: [-1])
    options.resampling.count = 50
    let evaluation = try Evaluator.evaluate(small.model, on: data, options)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let report = try decoder.decode(Report.self, from: Data(evaluation.json().utf8))
    #expect(report.images == 5 && report.attributes.map(\.name) == SmallModel.attributes)
    #expect(report.attributes[0].accuracy == evaluation.metrics[0][.accuracy])
    #expect(report.attributes[1].majority == 0.6 && report.attributes[1].trainingMajority == 0.6)
    #expect(report.attributes[2].accuracy == nil && report.attributes[0].trainingMajority == nil)
    #expect(Set(report.mean.keys) == Set(Metric.allCases.map(\.rawValue)))
    #expect(report.levels.names == LevelAccuracy.names && report.levels.attributes.map(\.count) == [3, 3, 3, 3, 3, 3])
    #expect(report.groups[0].groups.map(\.values) == [["D"], ["not D"]])
    #expect(report.groups[0].groups.map(\.images) == [2, 3] && report.groups[0].groups[0].tooFew)
    #expect(report.groups[0].groups[0].mean["accuracy"]?.low != nil)
  }
}

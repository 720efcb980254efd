import Testing

@testable import BLANDetection

@Suite struct SuppressionTests {
  @Test func theBestOfOverlappingBoxesStays() {
    let boxes = [Box(0, 0, 10, 10), Box(1, 0, 11, 10), Box(40, 40, 50, 50), Box(0, 0, 10, 5)]
    // Box 1 covers 90 of 110 pixels with box 0, box 3 half of box 0 and 45 of 105 with box 1.
    #expect(Suppression.overUnion(boxes, scores: [0.7, 0.9, 0.8, 0.6], threshold: 0.7) == [1, 2, 3])
    #expect(Suppression.overUnion(boxes, scores: [0.7, 0.9, 0.8, 0.6], threshold: 0.4) == [1, 2])
  }

  @Test func ofEqualScoresTheFirstStaysOverTheUnionAndTheLastOverTheSmaller() {
    let boxes = [Box(0, 0, 10, 10), Box(0, 0, 10, 10)]
    #expect(Suppression.overUnion(boxes, scores: [0.5, 0.5], threshold: 0.5) == [0])
    #expect(Suppression.overSmaller(boxes, scores: [0.5, 0.5], threshold: 0.5) == [1])
  }

  @Test func aBoxWithinAnotherGoesOverTheSmallerAlone() {
    let boxes = [Box(0, 0, 99, 99), Box(10, 10, 29, 29)]
    #expect(Suppression.overUnion(boxes, scores: [0.9, 0.8], threshold: 0.7) == [0, 1])
    #expect(Suppression.overSmaller(boxes, scores: [0.9, 0.8], threshold: 0.7) == [0])
  }

  @Test func boxesWithoutAreaDoNotSuppressEachOther() {
    let boxes = [Box(5, 5, 5, 5), Box(5, 5, 5, 5)]
    #expect(Suppression.overUnion(boxes, scores: [0.9, 0.8], threshold: 0.5) == [0, 1])
    #expect(Suppression.overUnion([], scores: [], threshold: 0.5) == [])
  }

  @Test func theBestAreTakenInOrder() {
    #expect(Suppression.best(3, scores: [0.1, 0.9, 0.9, 0.5]) == [1, 2, 3])
    #expect(Suppression.best(9, scores: [0.1, 0.9]) == [1, 0])
  }
}

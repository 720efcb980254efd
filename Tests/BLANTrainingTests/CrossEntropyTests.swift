import Glibc
import Testing

@testable import BLANTraining

@Suite struct CrossEntropyTests {
  @Test func itIsTheLogarithmOfTheSoftmax() {
    let plain = CrossEntropy(labelSmoothing: 0, positiveWeights: nil)
    let expected = -log(exp(0.75) / (exp(-0.5) + exp(0.75)))
    #expect(abs(plain.evaluate(absent: -0.5, present: 0.75, label: 1, attribute: 0).loss - expected) < 1e-12)
    let other = -log(exp(-0.5) / (exp(-0.5) + exp(0.75)))
    #expect(abs(plain.evaluate(absent: -0.5, present: 0.75, label: -1, attribute: 0).loss - other) < 1e-12)
  }

  @Test func anUnknownLabelCostsNothing() {
    let result = CrossEntropy(labelSmoothing: 0.1, positiveWeights: [3]).evaluate(
      absent: 4, present: -9, label: 0, attribute: 0)
    #expect(result.loss == 0 && result.gradient == 0)
  }

  @Test func largeScoresStayFinite() {
    let plain = CrossEntropy(labelSmoothing: 0, positiveWeights: nil)
    let wrong = plain.evaluate(absent: 3e38, present: -3e38, label: 1, attribute: 0)
    #expect(wrong.loss.isFinite && wrong.loss > 5e38 && wrong.gradient == -1)
    let right = plain.evaluate(absent: -3e38, present: 3e38, label: 1, attribute: 0)
    #expect(right.loss == 0 && right.gradient == 0)
  }

  @Test func theGradientIsTheDifferenceQuotient() {
    for smoothing in [0, 0.2] as [Float] {
      for label in [1, -1] as [Int8] {
        let entropy = CrossEntropy(labelSmoothing: smoothing, positiveWeights: [1, 2.5])
        for attribute in 0...1 {
          func loss(_ present: Float) -> Double {
            entropy.evaluate(absent: 0.25, present: present, label: label, attribute: attribute).loss
          }
          let gradient = entropy.evaluate(absent: 0.25, present: -0.5, label: label, attribute: attribute).gradient
          let quotient = (loss(-0.5 + 0x1p-10) - loss(-0.5 - 0x1p-10)) / 0x1p-9
          #expect(abs(Double(gradient) - quotient) < 1e-6)
        }
      }
    }
  }
}

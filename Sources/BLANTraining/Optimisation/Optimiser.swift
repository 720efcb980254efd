import BLANNetwork
import BLANTensors
import CBLANKernels
import Glibc

/// Adam for every trained tensor but the score-fusion matrix, which takes plain SGD (section 4.2), and a moving average
/// of the weights where one is wanted. Buffers are laid out like the ``ParameterStore``.
final class Optimiser {
  /// Adam's first and second moments.
  let first: AlignedBuffer<Float>
  let second: AlignedBuffer<Float>
  /// The moving average of all values, batch-norm statistics included; nil where none is kept.
  let average: AlignedBuffer<Float>?
  private let partials: AlignedBuffer<Double>

  init(_ store: ParameterStore, keepsAverage: Bool) throws {
    first = try AlignedBuffer(count: store.count, purpose: "Adam's first moments")
    second = try AlignedBuffer(count: store.count, purpose: "Adam's second moments")
    partials = try AlignedBuffer(
      count: blan_k_sum_of_squares_partials(store.count), purpose: "the gradient's norm")
    average = keepsAverage ? try AlignedBuffer(count: store.count, purpose: "the average of weights") : nil
    average?.pointer.update(from: store.values.pointer, count: store.count)
  }

  /// Norm of the trained tensors' gradient, times `scale`.
  func gradientNorm(_ store: ParameterStore, _ plan: TrainingPlan, scale: Float, threads: Int32) -> Double {
    var sum = 0.0
    for slot in store.slots where plan.isTrained(slot) {
      sum += blan_k_sum_of_squares(slot.count, store.gradients.pointer + slot.offset, partials.pointer, threads)
    }
    return Double(scale) * sum.squareRoot()
  }

  /// Step `step` (from 0) with gradients times `gradientScale` and learning rates times `rateFactor`.
  func update(
    _ store: ParameterStore, _ plan: TrainingPlan, _ options: TrainingOptions, step: Int, rateFactor: Float,
    gradientScale: Float, threads: Int32
  ) {
    let exponent = Double(step + 1)
    for (parameter, slot) in zip(store.parameters, store.slots) where plan.isTrained(slot) {
      let values = store.values.pointer + slot.offset
      let gradients = store.gradients.pointer + slot.offset
      switch parameter.role {
      case .fusion:
        blan_k_sgd_update(
          slot.count, values, gradients, options.fusionLearningRate * rateFactor, 0, gradientScale, threads)
      case .weight, .bias, .batchNormWeight, .batchNormBias:
        var isWeight = false
        if case .weight = parameter.role { isWeight = true }
        var adam = blan_k_adam(
          learning_rate: options.learningRate * rateFactor, beta1: options.beta1, beta2: options.beta2,
          epsilon: options.epsilon, weight_decay: isWeight ? options.weightDecay : 0, gradient_scale: gradientScale,
          correction1: 1 - pow(options.beta1, exponent), correction2: 1 - pow(options.beta2, exponent))
        blan_k_adam_update(
          slot.count, values, gradients, first.pointer + slot.offset, second.pointer + slot.offset, &adam, threads)
      case .runningMean, .runningVariance:
        break  // follow the batches, see BatchNormLayer
      }
    }
    if let average {
      // While few steps are done a long average would remember the random start.
      let decay = min(options.averageDecay, Float(1 + step) / Float(10 + step))
      blan_k_average_update(store.count, average.pointer, store.values.pointer, decay, threads)
    }
  }
}

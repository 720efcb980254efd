import BLANData

/// How far a trainer has come: with the tensors and the options, all that a run needs to go on bit for bit.
struct TrainerState: Codable, Equatable {
  /// Batches trained on.
  var batches = 0
  /// Updates of the weights.
  var optimiserSteps = 0
  /// Batches whose gradients wait for the next update.
  var pending = 0
  /// Adam's rate at the last step, and the norm of the gradient at the last update: what is told of an epoch that a
  /// resumed run has only to validate.
  var learningRate = 0.0
  var gradientNorm = 0.0
  /// Whether the weights came from a trained model, which decides on batch-norm statistics.
  var isFineTuning = false
  /// The run of ``Trainer/fit(train:validation:options:progress:)`` that is under way or was the last.
  var run: RunState?
}

/// Where a run over a data set stands.
struct RunState: Codable, Equatable {
  /// What the run must find again when it goes on.
  struct Setting: Codable, Equatable {
    var epochs: Int
    var batch: Int
    var batchesPerEpoch: Int
    /// Hash of labels and of paths within the data's folder.
    var data: UInt64
  }

  let setting: Setting
  /// Epochs of earlier runs: each epoch has an order of its own.
  let firstEpoch: Int
  /// Optimiser steps before the run.
  let firstStep: Int
  /// Optimiser steps of the whole run.
  let totalSteps: Int
  /// The next batch. Past the last batch of an epoch its validation is still to come.
  var position = LoaderPosition(epoch: 0, batch: 0)
  var bestAccuracy: Double?
  /// From 1; 0 before the first validation.
  var bestEpoch = 0
  /// Sum over the images of this epoch of the batches' losses.
  var epochLosses = Losses()
  var epochImages = 0

  var isFinished: Bool { position.epoch >= setting.epochs }

  /// Goes to the beginning of an epoch.
  mutating func begin(epoch: Int) {
    position = LoaderPosition(epoch: epoch, batch: 0)
    epochLosses = Losses()
    epochImages = 0
  }
}

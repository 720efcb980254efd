"""A network in training."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _batch
from .. import _training_structures as _structures
from .._arguments import path_bytes
from .._library import check, library
from ..creation import AttentionOrder, readable_encoder
from ..errors import InvalidArgumentError, ShapeError
from . import options as _options
from .checkpoint import shapes_in
from .listener import Listener, deferred_interrupt
from .options import PositiveWeights, Schedule, Statistics, Storage
from .processes import Sums, processes_of
from .progress import History, Losses, OnProgress

if TYPE_CHECKING:
    from ..dataset import Dataset


class Trainer:
    """A network in training: weights, gradients, optimiser, schedule and random state.

    The defaults are the paper's (section 4.2). A trainer works for one thread at a time, and frees its memory when it
    is closed (``with`` does that) or collected.

    Args:
        start: a model or a checkpoint to go on from; None = a new network. From a checkpoint everything comes but
            `threads`; `resume` says it plainly.
        width: of a new network: channels of the first level, a multiple of 4; 64 is the paper's.
        input_size: of a new network: height and width of the input in pixels, a multiple of 32 from 64.
        variant: of a new network: 1 to 6, the rows of the paper's Table 4; 6 is the full BLAN.
        attention: of a new network: order of channel and spatial attention.
        attributes: names in the order of the outputs; None = CelebA's forty, or those of `start`. Heads of names that
            `start` has are kept, others are new.
        encoder: a ResNet-34 state dict for a new network's encoder, as `import_encoder` reads it.
        threads: threads to work on; 0 = all cores this process may use. With the same seed, data and instruction set a
            run gives the same weights bit for bit, whatever the number of threads.
        seed: of new weights, dropout, order and augmentation.
        alpha, beta, gamma: weights of LMIM, reconstruction and score fusion in the loss, Eq. 8.
        dropout: share of T_i that is dropped, 0 to below 1.
        label_smoothing: share of each label that goes to its opposite, 0 to below 0.5.
        positive_weights: factor of the loss of present labels of each attribute: one a name, or by name together
            with `attributes`; None = 1. `balanced_weights` computes them from data.
        learning_rate: Adam's.
        fusion_learning_rate: SGD's, for the score-fusion matrix W.
        adam_betas, adam_epsilon: Adam's.
        weight_decay: AdamW's, of convolution and linear weights; 0 = Adam.
        clip_norm: largest norm of the gradient; 0 = no limit.
        average_decay: of the moving average of weights that validation and export use; 0 = no average.
        schedule: how the rates fall to `final_rate`: "linear" (the paper's), "cosine" or "constant".
        final_rate: learning rate at the end, as a share of the first.
        warmup_steps: steps over which the rate rises from 0.
        total_steps: length of the schedule in optimiser steps; 0 = `fit` sets it.
        accumulate: batches whose gradients are averaged for one optimiser step.
        freeze: prefixes of tensors that stay as they are, such as "encoder"; comma-separated, or several strings.
        statistics: batch norm normalises with the "batch" (and updates the running statistics), or with the "frozen"
            running ones; "automatic" freezes them for fine-tuning with batches of fewer than 16 images.
        synchronised_batch_norm: with `comm`, batch norm normalises with the statistics of all processes' images
            together; otherwise with those of each process's own.
        comm: the processes that train together: an mpi4py communicator (``pip install 'blan[mpi]'``) or an object like
            `blan.training.Processes`; None = this one alone. Every process makes the same trainer and the same calls of
            `step`, `fit` and `save`: `step` with its part of the batch, in the order of ranks, which may be empty;
            `fit` reads its part itself. The weights are those of one process with the whole batch, but for rounding.

    Raises:
        InvalidArgumentError: an option out of range.
        FileError, FormatError, ShapeError: `start` or `encoder` cannot be used.

    Attributes:
        names: the N attributes in the order of the labels.
        input_size: S, height and width of the input in pixels.
    """

    def __init__(
        self,
        start: str | os.PathLike[str] | None = None,
        *,
        width: int = 64,
        input_size: int = 256,
        variant: int = 6,
        attention: AttentionOrder = "channel-spatial",
        attributes: Sequence[str] | None = None,
        encoder: str | os.PathLike[str] | None = None,
        threads: int = 0,
        seed: int = 0,
        alpha: float = 0.1,
        beta: float = 0.1,
        gamma: float = 1.0,
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
        positive_weights: PositiveWeights | None = None,
        learning_rate: float = 1e-3,
        fusion_learning_rate: float = 1e-4,
        adam_betas: tuple[float, float] = (0.9, 0.999),
        adam_epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        average_decay: float = 0.0,
        schedule: Schedule = "linear",
        final_rate: float = 0.1,
        warmup_steps: int = 0,
        total_steps: int = 0,
        accumulate: int = 1,
        freeze: str | Iterable[str] = (),
        statistics: Statistics = "automatic",
        synchronised_batch_norm: bool = True,
        comm: Any = None,
    ) -> None:
        self._share(comm)
        with contextlib.nullcontext() if encoder is None else readable_encoder(encoder) as file:
            self._create(
                _options.train_options(
                    start,
                    width=width,
                    input_size=input_size,
                    variant=variant,
                    attention=attention,
                    attributes=attributes,
                    encoder=file,
                    threads=threads,
                    seed=seed,
                    alpha=alpha,
                    beta=beta,
                    gamma=gamma,
                    dropout=dropout,
                    label_smoothing=label_smoothing,
                    positive_weights=positive_weights,
                    learning_rate=learning_rate,
                    fusion_learning_rate=fusion_learning_rate,
                    adam_betas=adam_betas,
                    adam_epsilon=adam_epsilon,
                    weight_decay=weight_decay,
                    clip_norm=clip_norm,
                    average_decay=average_decay,
                    schedule=schedule,
                    final_rate=final_rate,
                    warmup_steps=warmup_steps,
                    total_steps=total_steps,
                    accumulate=accumulate,
                    freeze=freeze,
                    statistics=statistics,
                    synchronised_batch_norm=synchronised_batch_norm,
                    comm=self._sums,
                )
            )

    @classmethod
    def resume(
        cls,
        checkpoint: str | os.PathLike[str],
        *,
        threads: int = 0,
        synchronised_batch_norm: bool = True,
        comm: Any = None,
    ) -> Trainer:
        """A trainer that stands where a checkpoint was saved; `fit` then goes on from there.

        Continuing bit for bit needs the same data, the same options of `fit`, and the same instruction set and number
        of processes; any other number of processes will do but for rounding, any number of threads exactly.
        """
        return cls(checkpoint, threads=threads, synchronised_batch_norm=synchronised_batch_norm, comm=comm)

    def _share(self, comm: Any) -> None:
        processes = processes_of(comm)
        self._sums = None if processes is None else Sums(processes)

    def _create(self, options: _structures.TrainOptions) -> None:
        out = ctypes.c_void_p()
        with self._explaining():
            check(library().blan_trainer_create(ctypes.byref(options), ctypes.byref(out)))
        self._pointer: ctypes.c_void_p | None = out
        self._finalizer = weakref.finalize(self, library().blan_trainer_free, out)
        self._finalizer.atexit = False
        self._busy = threading.Lock()
        self._shapes: dict[str, tuple[int, ...]] | None = None
        count = library().blan_trainer_attribute_count(out)
        self.names = tuple(library().blan_trainer_attribute_name(out, i).decode() for i in range(count))
        self.input_size: int = library().blan_trainer_input_size(out)

    def step(self, pixels: np.ndarray, labels: np.ndarray) -> Losses:
        """One step on a batch: losses, gradients, and every `accumulate`-th time an update of the weights.

        Args:
            pixels: Bx3xSxS floats, R then G then B, normalised as `Model.preprocess` does.
            labels: BxN: 1 present, -1 absent, 0 unknown; or booleans.

        Returns:
            The losses before the update.

        Raises:
            ShapeError: the arrays do not fit the network or each other.
            InvalidArgumentError: a label is none of these, `pixels` holds integers, which are not normalised, or the
                batch has one image while alpha > 0.
            InternalError: a loss is not finite; nothing has changed.
        """
        images = _batch.prepared(pixels, self.input_size)
        truth = _labels(labels)
        if truth.shape != (len(images), len(self.names)):
            raise ShapeError(f"labels have shape {truth.shape}; expected {(len(images), len(self.names))}")
        losses = _structures.Losses()
        with self._open() as pointer, self._explaining():
            pointers = _batch.floats(images), truth.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))
            check(library().blan_trainer_step(pointer, *pointers, len(images), ctypes.byref(losses)))
        return Losses.of(losses)

    def fit(
        self,
        train: Dataset,
        validation: Dataset | None = None,
        *,
        epochs: int = 14,
        batch: int = 64,
        mirror: bool = True,
        shift: float = 0.0,
        zoom: float = 0.0,
        rotation: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        cutout: float = 0.0,
        workers: int = 0,
        cache_bytes: int = 2 << 30,
        skip_unreadable: bool = False,
        checkpoints: str | os.PathLike[str] | None = None,
        checkpoint_steps: int = 0,
        patience: int = 0,
        on_progress: OnProgress | None = None,
    ) -> History:
        """Trains for a number of epochs, validating after each.

        Columns of the data are matched by name; an attribute that the data lack counts as unknown.

        Args:
            train: the images to train on.
            validation: the images to validate on.
            epochs: over the training data.
            batch: images of a step, in all processes.
            mirror: mirror images at random, left and right.
            shift: crop jitter: greatest move to each side, as a share of the side, 0 to 0.5.
            zoom: scale between 1 / (1 + zoom) and 1 + zoom, 0 to 1.
            rotation: greatest turn to each side in degrees, 0 to 180.
            brightness: colour jitter: a factor between 1 - x and 1 + x, 0 to 1.
            contrast: the same.
            saturation: the same.
            cutout: side of a blanked square as a share of the side, 0 to 1.
            workers: threads that read images; 0 = as many as there are cores for this process.
            cache_bytes: memory for decoded images.
            skip_unreadable: go on without images that cannot be read; otherwise they end the run.
            checkpoints: folder for last.safetensors and best.safetensors, made where missing; None = none.
            checkpoint_steps: batches between saves of last.safetensors; 0 = once an epoch.
            patience: epochs without a better validation after which the run ends; 0 = never.
            on_progress: called with a `Progress` after each batch, epoch, part of a validation and unreadable image.
                When it returns False the run stops; when it raises, the run stops and `fit` raises the same.

        Returns:
            What the run came to; `History.cancelled` tells that the callback stopped it.

        Raises:
            KeyboardInterrupt: Ctrl-C; the run has stopped after a batch or come to its end, with a checkpoint where
                `checkpoints` is.
            InternalError: a loss is not finite; the message names the step and the term.
            BlanError: anything else; the class says what.
        """
        c_options = _options.fit_options(
            epochs=epochs,
            batch=batch,
            mirror=mirror,
            shift=shift,
            zoom=zoom,
            rotation=rotation,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            cutout=cutout,
            workers=workers,
            cache_bytes=cache_bytes,
            skip_unreadable=skip_unreadable,
            checkpoints=checkpoints,
            checkpoint_steps=checkpoint_steps,
            patience=patience,
        )
        with self._open() as pointer, self._explaining(), contextlib.ExitStack() as stack:
            data = [None if part is None else part.pointer for part in (train, validation)]
            listener = Listener(on_progress, stack.enter_context(deferred_interrupt()), shared=self._sums is not None)
            callback = _structures.ProgressCallback(listener)
            c_options.progress = callback
            status = library().blan_trainer_fit(pointer, *data, ctypes.byref(c_options))
            return listener.outcome(status)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint: weights, optimiser, schedule, random state and the place in the data.

        It appears whole or not at all. Of several processes the first one writes, while all call this.
        """
        with self._open() as pointer, self._explaining():
            check(library().blan_trainer_save(pointer, path_bytes(path)))

    def export(
        self,
        path: str | os.PathLike[str],
        storage: Storage = "f32",
        *,
        training_heads: bool = False,
        raw_weights: bool = False,
    ) -> None:
        """Writes a model file, whole or not at all.

        Args:
            path: the safetensors file.
            storage: "f32", "f16" or "bf16", of convolution and linear weights; the rest stays f32.
            training_heads: keep the reconstruction and LMIM heads, for further training.
            raw_weights: the weights themselves where a moving average is kept.
        """
        options = _options.export_options(storage, training_heads, raw_weights)
        with self._open() as pointer:
            check(library().blan_trainer_export(pointer, path_bytes(path), ctypes.byref(options)))

    @property
    def step_count(self) -> int:
        """Batches trained on so far."""
        with self._open() as pointer:
            return library().blan_trainer_step_count(pointer)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the network by its name in the weights file, training heads too, and its shape."""
        if self._shapes is None:
            with tempfile.TemporaryDirectory(prefix="blan-") as folder:
                path = os.path.join(folder, "model.safetensors")
                self.export(path, training_heads=True)
                self._shapes = shapes_in(path)
        return dict(self._shapes)

    def gradient(self, name: str) -> np.ndarray:
        """The last step's gradient of a tensor.

        Raises:
            InvalidArgumentError: there is no such tensor, it has no gradient, or there was no step yet.
        """
        return self._tensor(name, "blan_trainer_gradient")

    def parameter(self, name: str) -> np.ndarray:
        """A copy of a tensor of the network, by its name in the weights file.

        Raises:
            InvalidArgumentError: there is no such tensor.
        """
        return self._tensor(name, "blan_trainer_parameter")

    def _tensor(self, name: str, function: str) -> np.ndarray:
        shape = self.shapes.get(name)
        if shape is None:
            raise InvalidArgumentError(f"the network has no tensor {name!r}")
        out = np.empty(shape, dtype=np.float32)
        with self._open() as pointer:
            check(getattr(library(), function)(pointer, name.encode(), _batch.floats(out), out.size))
        return out

    def close(self) -> None:
        """Frees the trainer. Further calls raise InvalidArgumentError."""
        with self._open():
            self._pointer = None
            self._finalizer()

    def _explaining(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._sums is None else self._sums.explaining()

    @contextlib.contextmanager
    def _open(self) -> Iterator[ctypes.c_void_p]:
        """The handle, for one call at a time."""
        if not self._busy.acquire(blocking=False):
            raise InvalidArgumentError("the trainer is at work in another call; it serves one thread at a time")
        try:
            if self._pointer is None:
                raise InvalidArgumentError("the trainer is closed")
            yield self._pointer
        finally:
            self._busy.release()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pointer is not None:
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self._pointer is None else f"{len(self.names)} attributes"
        return f"<blan.Trainer: {state}, {self.input_size}x{self.input_size}>"


def _labels(labels: np.ndarray) -> np.ndarray:
    array = np.asarray(labels)
    if array.dtype == np.bool_:
        return np.where(array, 1, -1).astype(np.int8)
    if not np.isin(array, (-1, 0, 1)).all():
        raise InvalidArgumentError("labels hold other numbers than 1 (present), -1 (absent) and 0 (unknown)")
    return np.ascontiguousarray(array, dtype=np.int8)

"""From Python's keywords to the option structs of blan.h."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from .. import _training_structures as _structures
from .._arguments import checked_threads, path_bytes, strings, text_bytes, within
from ..creation import AttentionOrder, network_options
from ..errors import InvalidArgumentError, ShapeError
from .checkpoint import attribute_count
from .processes import Sums, shared_options

Schedule: TypeAlias = Literal["linear", "cosine", "constant"]
Statistics: TypeAlias = Literal["automatic", "batch", "frozen"]
Storage: TypeAlias = Literal["f32", "f16", "bf16"]
PositiveWeights: TypeAlias = Sequence[float] | Mapping[str, float]

_SCHEDULES = {"linear": 0, "cosine": 1, "constant": 2}
_STATISTICS = {"automatic": 0, "batch": 1, "frozen": 2}
_STORAGES = {"f32": 0, "f16": 1, "bf16": 2}

_CELEBA_ATTRIBUTES = 40
"""Of a new network that is given no names."""


def train_options(
    start: str | os.PathLike[str] | None,
    *,
    width: int,
    input_size: int,
    variant: int,
    attention: AttentionOrder,
    attributes: Sequence[str] | None,
    encoder: str | os.PathLike[str] | None,
    threads: int,
    seed: int,
    alpha: float,
    beta: float,
    gamma: float,
    dropout: float,
    label_smoothing: float,
    positive_weights: PositiveWeights | None,
    learning_rate: float,
    fusion_learning_rate: float,
    adam_betas: tuple[float, float],
    adam_epsilon: float,
    weight_decay: float,
    clip_norm: float,
    average_decay: float,
    schedule: Schedule,
    final_rate: float,
    warmup_steps: int,
    total_steps: int,
    accumulate: int,
    freeze: str | Iterable[str],
    statistics: Statistics,
    synchronised_batch_norm: bool,
    comm: Sums | None,
) -> _structures.TrainOptions:
    """A blan_train_options; `Trainer` explains the keywords. The struct keeps what it points at alive."""
    options = _structures.TrainOptions(ctypes.sizeof(_structures.TrainOptions))
    if start is None:
        network = network_options(width, input_size, variant, attention, attributes, seed)
        options.network = ctypes.pointer(network)
    else:
        options.start = path_bytes(start)
        if attributes is not None:
            options.attributes = strings("attributes", attributes)
            options.attribute_count = len(attributes)
    if encoder is not None:
        options.encoder = path_bytes(encoder)
    if positive_weights is not None:
        weights = _weights(positive_weights, start, attributes)
        options.positive_weights = (ctypes.c_float * len(weights))(*weights)
    options.threads, options.seed = checked_threads(threads), within("seed", seed, 0, 2**64 - 1)
    options.alpha, options.beta, options.gamma = alpha, beta, gamma
    options.dropout, options.label_smoothing = dropout, label_smoothing
    options.learning_rate, options.fusion_learning_rate = learning_rate, fusion_learning_rate
    options.beta1, options.beta2 = adam_betas
    options.epsilon, options.weight_decay, options.clip_norm = adam_epsilon, weight_decay, clip_norm
    options.average_decay = average_decay
    options.schedule = chosen("schedule", schedule, _SCHEDULES)
    options.final_rate, options.warmup_steps = final_rate, within("warmup_steps", warmup_steps, 0, 2**31 - 1)
    options.total_steps = within("total_steps", total_steps, 0, 2**63 - 1)
    options.accumulate = within("accumulate", accumulate, 1, 65_536)
    prefixes = [freeze] if isinstance(freeze, str) else list(freeze)
    options.freeze = text_bytes("freeze", ",".join(prefixes)) or None
    options.statistics = chosen("statistics", statistics, _STATISTICS)
    shared_options(options, comm, synchronised_batch_norm)
    return options


def fit_options(
    *,
    epochs: int,
    batch: int,
    mirror: bool,
    shift: float,
    zoom: float,
    rotation: float,
    brightness: float,
    contrast: float,
    saturation: float,
    cutout: float,
    workers: int,
    cache_bytes: int,
    skip_unreadable: bool,
    checkpoints: str | os.PathLike[str] | None,
    checkpoint_steps: int,
    patience: int,
) -> _structures.FitOptions:
    """A blan_fit_options without its callback; `Trainer.fit` explains the keywords."""
    options = _structures.FitOptions(ctypes.sizeof(_structures.FitOptions))
    options.epochs, options.batch = within("epochs", epochs, 1, 1_000_000), within("batch", batch, 1, 65_536)
    options.mirror = mirror
    options.shift, options.zoom, options.rotation = shift, zoom, rotation
    options.brightness, options.contrast, options.saturation = brightness, contrast, saturation
    options.cutout, options.workers = cutout, within("workers", workers, 0, 1024)
    options.cache_bytes = within("cache_bytes", cache_bytes, 0, 2**64 - 1)
    options.skip_unreadable = skip_unreadable
    options.checkpoints = None if checkpoints is None else path_bytes(checkpoints)
    options.checkpoint_steps = within("checkpoint_steps", checkpoint_steps, 0, 2**63 - 1)
    options.patience = within("patience", patience, 0, 2**31 - 1)
    return options


def export_options(storage: Storage, training_heads: bool, raw_weights: bool) -> _structures.ExportOptions:
    """A blan_export_options; `Trainer.export` explains the keywords."""
    size = ctypes.sizeof(_structures.ExportOptions)
    return _structures.ExportOptions(size, chosen("storage", storage, _STORAGES), training_heads, raw_weights)


def chosen(name: str, value: str, numbers: Mapping[str, int]) -> int:
    """The number that C has for a choice.

    Raises:
        InvalidArgumentError: `value` is none of the choices.
    """
    if value not in numbers:
        raise InvalidArgumentError(f"{name} is {value!r}; expected one of {', '.join(numbers)}")
    return numbers[value]


def _weights(
    weights: PositiveWeights, start: str | os.PathLike[str] | None, attributes: Sequence[str] | None
) -> list[float]:
    """As many weights as the network has attributes, for C reads so many."""
    if not isinstance(weights, Mapping):
        values = [float(weight) for weight in weights]
        if attributes is not None:
            count = len(attributes)
        else:
            count = _CELEBA_ATTRIBUTES if start is None else attribute_count(start)
        if len(values) != count:
            raise ShapeError(f"there are {len(values)} positive_weights; expected {count}")
        return values
    if attributes is None:
        raise InvalidArgumentError("positive_weights by name needs attributes, which give their order")
    unknown = sorted(set(weights) - set(attributes))
    if unknown:
        raise InvalidArgumentError(f"positive_weights names {', '.join(unknown)}; no such attribute is trained")
    return [float(weights.get(name, 1)) for name in attributes]

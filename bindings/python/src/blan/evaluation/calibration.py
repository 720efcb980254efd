"""Fitting a model's thresholds and temperatures."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .. import _structures
from .._arguments import checked_threads, path_bytes, within
from .._library import library
from ..errors import InvalidArgumentError
from ..model import load
from . import running
from .result import Unreadable

Objective: TypeAlias = Literal["accuracy", "balanced-accuracy", "f1"]
_OBJECTIVES = {"accuracy": 0, "balanced-accuracy": 1, "f1": 2}


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was fitted and written.

    Attributes:
        path: the model file that holds it.
        names: the N attributes.
        thresholds: N: the probability from which an attribute counts as present.
        temperatures: N: what the decision's scores are divided by.
        unreadable: images that could not be read and were skipped.
    """

    path: str
    names: tuple[str, ...]
    thresholds: np.ndarray
    temperatures: np.ndarray
    unreadable: tuple[Unreadable, ...]


def calibrate(
    model: str | os.PathLike[str],
    data: running.Data,
    out: str | os.PathLike[str],
    *,
    thresholds: bool = True,
    temperatures: bool = True,
    objective: Objective = "accuracy",
    minimum_labels: int = 10,
    threads: int = 0,
    batch: int = 64,
    on_unreadable: running.OnUnreadable = "raise",
    on_progress: running.OnProgress | None = None,
) -> Calibration:
    """Writes a copy of a model with thresholds and temperatures fitted on data that it was not trained on.

    Args:
        model: the model file.
        data: a `Dataset`, such as the validation part, or the path of one.
        out: the file to write, whole or not at all; may be `model`.
        thresholds: fit the probability from which each attribute counts as present.
        temperatures: fit what each attribute's scores are divided by, so that the probabilities are likeliest.
        objective: what a threshold is to do best.
        minimum_labels: an attribute with fewer present or fewer absent labels keeps a threshold of 0.5 and a
            temperature of 1.
        threads: threads to work on; 0 = all cores this process may use.
        batch: images between two calls of `on_progress`.
        on_unreadable: "raise" the error of the first image that cannot be read, or "skip" such images.
        on_progress: called with images done and images in all; False stops.

    Raises:
        InvalidArgumentError: an option out of range, or data without any attribute of the model.
        CancelledError: `on_progress` returned False.
        BlanError: a file cannot be read or written; the class says why.
    """
    if objective not in _OBJECTIVES:
        raise InvalidArgumentError(f"objective is {objective!r}; expected one of {', '.join(_OBJECTIVES)}")
    data = running.opened(data)
    watch = running.Watch(data, on_progress)
    options = _structures.CalibrateOptions(
        ctypes.sizeof(_structures.CalibrateOptions),
        temperatures,
        thresholds,
        _OBJECTIVES[objective],
        within("minimum_labels", minimum_labels, 1, 2**31 - 1),
        checked_threads(threads),
        within("batch", batch, 1, 65_536),
        running.skips(on_unreadable),
        watch.on_error,
        watch.on_progress,
        None,
    )
    call = library().blan_calibrate
    watch.check(call(path_bytes(model), data.pointer, ctypes.byref(options), path_bytes(out)))
    with load(out, threads=1) as fitted:
        config = fitted.config
        return Calibration(
            os.fspath(out),
            fitted.names,
            fitted.thresholds,
            np.array(config["temperatures"], dtype=np.float32),
            tuple(watch.unreadable),
        )

"""Models in reduced precision."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

import numpy as np

from . import _batch, _structures
from ._arguments import checked_threads, path_bytes
from ._library import check, library
from .errors import InvalidArgumentError
from .images import Photo
from .precision import NUMBERS

Quantized: TypeAlias = Literal["int8", "bf16"]


def quantize(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    precision: Quantized = "int8",
    calibration: Iterable[Photo] = (),
    threads: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Copies a model with its weights stored in 8-bit integers or bfloat16, to be computed with in that precision.

    The copy is smaller, loads like any other model, and has no training heads; its `Model.precision` is the one given
    here unless another is asked for. Measure what it costs with `Model.evaluate`.

    Args:
        model: the model file.
        out: the file to write; may be `model`. It appears whole or not at all.
        precision: "int8" or "bf16".
        calibration: for "int8" some hundred face crops like those to come (any that `Model.predict` takes with
            ``aligned=True``, but not those that the model is to be tested with): they show how far the numbers inside
            the network reach. They are prepared one by one and all held as floats: 0.8 MB each at 256x256.
        threads: threads to work on; 0 = all cores this process may use.
        on_progress: called after each image that is prepared, with how many are, and how many there are.

    Raises:
        InvalidArgumentError: int8 without images.
        BlanError: the model or an image cannot be read, or the file not written; the class says what.
    """
    from .model import load

    if precision not in ("int8", "bf16"):
        raise InvalidArgumentError(f"precision is {precision!r}; expected 'int8' or 'bf16'")
    pixels = np.empty((0,), dtype=np.float32)
    count = 0
    if precision == "int8":
        photos = list(calibration)
        prepared = []
        with load(model, threads=1, precision="f32") as network:
            for photo in photos:
                prepared.append(network.preprocess(photo))
                if on_progress is not None:
                    on_progress(len(prepared), len(photos))
        count = len(prepared)
        if count == 0:
            raise InvalidArgumentError("int8 needs images to calibrate with: give some hundred face crops")
        pixels = np.stack(prepared)
    options = _structures.QuantizeOptions(
        ctypes.sizeof(_structures.QuantizeOptions),
        NUMBERS[precision],
        _batch.floats(pixels) if count else None,
        count,
        checked_threads(threads),
    )
    check(library().blan_quantize(path_bytes(model), ctypes.byref(options), path_bytes(out)))

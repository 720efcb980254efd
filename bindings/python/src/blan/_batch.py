"""One call of the C library for photos of one kind, with its output buffers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import _structures
from ._library import check, library
from .errors import BlanError, InvalidArgumentError, ShapeError, error_for
from .images import Pixels, Source

_FLOATS = ctypes.POINTER(ctypes.c_float)


def floats(array: np.ndarray) -> ctypes.Array | None:
    """The C pointer to a packed float32 array."""
    return array.ctypes.data_as(_FLOATS)


def prepared(pixels: np.ndarray, side: int) -> np.ndarray:
    """Normalised pixels as the library reads them: Bx3xSxS, packed float32.

    Raises:
        InvalidArgumentError: they are integers, as those of a photo are that nobody has normalised.
        ShapeError: they have another shape.
    """
    array = np.asarray(pixels)
    if array.dtype.kind in "biu":
        raise InvalidArgumentError(
            f"pixels have dtype {array.dtype}; expected floats, normalised as Model.preprocess does"
        )
    if array.ndim != 4 or array.shape[1:] != (3, side, side):
        raise ShapeError(f"pixels have shape {array.shape}; expected (batch, 3, {side}, {side})")
    return np.ascontiguousarray(array, dtype=np.float32)


@dataclass(frozen=True)
class Layout:
    """Sizes of a model's outputs for one image.

    Attributes:
        attributes: N.
        embedding: numbers in T_i.
        maps: sides of the spatial attention maps.
    """

    attributes: int
    embedding: int
    maps: tuple[int, ...]


@dataclass(frozen=True)
class Wanted:
    """Which outputs beside the probabilities a caller asked for."""

    scores: bool = False
    logits: bool = False
    embeddings: bool = False
    attention: bool = False


class Outputs:
    """Buffers for the outputs of `count` images; those not asked for are None."""

    def __init__(self, layout: Layout, wanted: Wanted, count: int) -> None:
        def buffer(asked: bool, *shape: int) -> np.ndarray | None:
            return np.full((count, *shape), np.nan, dtype=np.float32) if asked else None

        self._maps = layout.maps
        self.probabilities = np.full((count, layout.attributes), np.nan, dtype=np.float32)
        self.errors: list[BlanError | None] = [None] * count
        self.scores = buffer(wanted.scores, 5, layout.attributes, 2)
        self.logits = buffer(wanted.logits, layout.attributes, 2)
        self.embeddings = buffer(wanted.embeddings, 4, layout.embedding)
        self.attention = buffer(wanted.attention, sum(side * side for side in layout.maps))

    def options(self, on_error: object, maximum_pixels: int) -> _structures.PredictOptions:
        """The option struct that points at these buffers."""
        optional = (self.scores, self.logits, self.embeddings, self.attention)
        pointers = [None if array is None or array.size == 0 else floats(array) for array in optional]
        return _structures.PredictOptions(
            ctypes.sizeof(_structures.PredictOptions), *pointers, maximum_pixels, on_error, None
        )

    def maps_of(self, index: int) -> tuple[np.ndarray, ...] | None:
        """The attention maps of one image, each a square view."""
        if self.attention is None:
            return None
        ends = np.cumsum([side * side for side in self._maps])
        parts = np.split(self.attention[index], ends[:-1]) if self._maps else []
        return tuple(part.reshape(side, side) for part, side in zip(parts, self._maps, strict=True))


def run(handle: ctypes.c_void_p, sources: Sequence[Source], outputs: Outputs, maximum_pixels: int) -> None:
    """Predicts from photos that are all of one kind into `outputs`.

    A file or encoded photo that cannot be read leaves NaN and its error at its index.

    Raises:
        BlanError: the call as a whole failed.
    """
    count = len(sources)

    @_structures.ItemError
    def note(_user: int | None, index: int, status: int, message: bytes) -> None:
        outputs.errors[index] = error_for(status, message.decode("utf-8", "replace"))

    options = outputs.options(note, maximum_pixels)
    tail = (count, ctypes.byref(options), floats(outputs.probabilities))
    call = library()
    first = sources[0]
    if isinstance(first, Pixels):
        images = (_structures.Image * count)(*(source.image for source in sources))
        check(call.blan_predict_images(handle, images, *tail))
    elif isinstance(first, bytes):
        encoded = (ctypes.c_char_p * count)(*sources)
        lengths = (ctypes.c_size_t * count)(*map(len, sources))
        check(call.blan_predict_encoded(handle, encoded, lengths, *tail, None))
    else:
        paths = (ctypes.c_char_p * count)(*(os.fsencode(source) for source in sources))
        check(call.blan_predict_files(handle, paths, *tail, None))

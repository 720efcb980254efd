"""Predicting photos of all kinds: what `Model.predict` does."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from . import _batch, _faces
from ._arguments import within
from .detection import Detector, Face, photo_pixels
from .errors import BlanError, InvalidArgumentError
from .images import Color, FilePath, Photo, Pixels, Source, source_of
from .prediction import Prediction

OnError: TypeAlias = Literal["raise", "keep"]


def is_single(photos: Any) -> bool:
    """Whether `photos` is one photo: everything but an iterable that is not itself a photo."""
    if isinstance(photos, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(photos, "getexif"):
        return True
    if hasattr(photos, "__array__"):
        return getattr(photos, "ndim", 3) != 4
    return not isinstance(photos, Iterable)


@dataclass(frozen=True)
class Run:
    """One call of `Model.predict`.

    Attributes:
        names: of the model.
        trained: of the model.
        layout: of the model's outputs.
        thresholds: the model's own, or the caller's.
        color: of arrays, from the caller, as the others.
        wanted: outputs beside the probabilities.
        on_error: "raise" or "keep".
        maximum_pixels: of a photo; 0 = the library's.
    """

    names: tuple[str, ...]
    trained: bool
    layout: _batch.Layout
    thresholds: np.ndarray
    color: Color
    wanted: _batch.Wanted
    on_error: OnError
    maximum_pixels: int

    def __post_init__(self) -> None:
        within("maximum_pixels", self.maximum_pixels, 0, 2**64 - 1)
        if self.on_error not in ("raise", "keep"):
            raise InvalidArgumentError(f'on_error is {self.on_error!r}; expected "raise" or "keep"')

    def aligned(self, model: ctypes.c_void_p, photos: list[Photo]) -> list[Prediction]:
        """Predicts photos that are one aligned face each."""
        sources = [self._source(photo) for photo in photos]
        predictions: list[Prediction | None] = [None] * len(photos)
        for kind in (Pixels, bytes, FilePath, BlanError):
            indices = [i for i, source in enumerate(sources) if isinstance(source, kind)]
            if not indices:
                continue
            outputs = _batch.Outputs(self.layout, self.wanted, len(indices))
            chosen = [sources[i] for i in indices]
            if kind is BlanError:
                outputs.errors = chosen  # type: ignore[assignment]
            else:
                _batch.run(model, chosen, outputs, self.maximum_pixels)  # type: ignore[arg-type]
            for row, index in enumerate(indices):
                predictions[index] = self._prediction(outputs, row, chosen[row])
        if self.on_error == "raise":
            _raise_first(predictions)
        return predictions  # type: ignore[return-value]

    def searched(self, model: ctypes.c_void_p, photos: list[Photo], detector: Detector) -> list[list[Prediction]]:
        """Predicts the faces that the detector finds in each photo."""
        results: list[list[Prediction]] = []
        for photo in photos:
            source = self._source(photo)
            try:
                if isinstance(source, BlanError):
                    raise source
                pixels = photo_pixels(photo, self.color, self.maximum_pixels)
                faces, outputs = _faces.run(model, self.layout, self.wanted, detector, pixels)
                results.append([self._prediction(outputs, row, source, face) for row, face in enumerate(faces)])
            except BlanError as error:
                failed = _batch.Outputs(self.layout, self.wanted, 1)
                failed.errors = [error]
                results.append([self._prediction(failed, 0, source)])
                if self.on_error == "raise":
                    _raise(results[-1][0], len(results) - 1, len(photos))
        return results

    def _source(self, photo: Photo) -> Source | BlanError:
        try:
            return source_of(photo, self.color)
        except BlanError as error:
            return error

    def _prediction(
        self, outputs: _batch.Outputs, row: int, source: Source | BlanError, face: Face | None = None
    ) -> Prediction:
        def part(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[row]

        return Prediction(
            names=self.names,
            probabilities=outputs.probabilities[row],
            thresholds=self.thresholds,
            trained=self.trained,
            source=os.fsdecode(source) if isinstance(source, FilePath) else "",
            face=face,
            error=outputs.errors[row],
            scores=part(outputs.scores),
            logits=part(outputs.logits),
            embeddings=part(outputs.embeddings),
            attention=outputs.maps_of(row),
        )


def _raise_first(predictions: list[Prediction | None]) -> None:
    for index, prediction in enumerate(predictions):
        if prediction is not None and prediction.error is not None:
            _raise(prediction, index, len(predictions))


def _raise(prediction: Prediction, index: int, count: int) -> None:
    error = prediction.error
    if error is not None:
        if count > 1:
            error.args = (f"photo {index} of {count}: {error}",)
        raise error

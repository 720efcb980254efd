"""Predictions as rows of an index."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BlanError
from ..prediction import Prediction
from .schema import BOX, Description, arrow

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PhotoFile:
    """A photo as it was found.

    Attributes:
        path: relative to the folder.
        size: bytes.
        mtime_ns: when it was last changed, nanoseconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int

    @property
    def key(self) -> bytes:
        """The path as the file system has it."""
        return os.fsencode(self.path)


class Rows:
    """Rows that wait to be written: one a face, or one for a photo without any or that cannot be read."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._rows: list[tuple[PhotoFile, int | None, Prediction | None]] = []
        self.photos = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, photo: PhotoFile, predictions: list[Prediction]) -> None:
        """Takes all that was found in a photo."""
        self.photos += 1
        if not predictions:
            self._rows.append((photo, None, None))
        for number, prediction in enumerate(predictions, 1):
            self._rows.append((photo, None if prediction.error else number, prediction))

    def table(self) -> pa.Table:
        """The rows in the columns of an index."""
        pa, about = arrow(), self._description
        photos = [photo for photo, _, _ in self._rows]
        keys = [photo.key for photo in photos]
        texts = [key.decode("utf-8", "backslashreplace") for key in keys]
        errors = [None if prediction is None else error_text(prediction.error) for *_, prediction in self._rows]
        found = [None if number is None else prediction for _, number, prediction in self._rows]
        faces = [None if prediction is None else prediction.face for prediction in found]
        columns: dict[str, Any] = {
            "path": pa.array(texts, pa.string()),
            "path_bytes": pa.array([None if t.encode() == k else k for t, k in zip(texts, keys, strict=True)]),
            "size": [photo.size for photo in photos],
            "mtime_ns": [photo.mtime_ns for photo in photos],
            "error": pa.array(errors, pa.string()),
            "face": [number for _, number, _ in self._rows],
        }
        for index, side in enumerate(BOX):
            columns[side] = [None if face is None else face.box[index] for face in faces]
        columns["score"] = [None if face is None else face.score for face in faces]
        columns["landmarks"] = _lists([None if face is None else face.landmarks for face in faces], 10)
        missing = np.array([prediction is None for prediction in found], dtype=bool)
        empty = np.zeros(len(about.attributes), dtype=np.float32)
        probabilities = np.stack([empty if p is None else p.probabilities for p in found])
        for index, name in enumerate(about.columns):
            columns[name] = pa.array(np.ascontiguousarray(probabilities[:, index]), mask=missing)
        columns["embedding"] = _lists([None if p is None else p.embeddings for p in found], about.embedding)
        schema = about.schema()
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, schema.field(name).type)
            for name, column in columns.items()
        ]
        return pa.Table.from_arrays([a.cast(f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema)


def error_text(error: BlanError | None) -> str | None:
    """A message without the surrogates that stand for bytes of a path that are no UTF-8."""
    return None if error is None else str(error).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _lists(values: list[np.ndarray | None], length: int) -> pa.FixedSizeListArray:
    """Arrays of one length, or none, as a column of lists."""
    pa = arrow()
    empty = np.zeros(length, dtype=np.float32)
    flat = np.concatenate([empty if value is None else value.ravel() for value in values])
    missing = pa.array([value is None for value in values], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), length, mask=missing)

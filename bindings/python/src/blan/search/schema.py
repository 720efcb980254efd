"""What an index holds: the columns of its Parquet file and its metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._extras import needed
from ..errors import FileError, FormatError

if TYPE_CHECKING:
    import pyarrow as pa

KEY = b"blan.index"
"""Key of the metadata in the Parquet file."""

FORMAT = 1

BOX = ("left", "top", "right", "bottom")

FIXED = ("path", "path_bytes", "size", "mtime_ns", "error", "face", *BOX, "score", "landmarks", "embedding")
"""Columns that are not attributes."""


def arrow() -> Any:
    """The module pyarrow."""
    return needed("pyarrow", "index", "an index of photos")


@dataclass(frozen=True)
class Description:
    """What made an index.

    Attributes:
        root: the folder, absolute; paths in the index are relative to it.
        attributes: names in the order of their columns.
        thresholds: probability from which each counts as present.
        trained: False when the model's weights are random.
        embedding: numbers in an embedding.
        model: path of the model file.
        model_hash: its SHA-256.
        aligned: the photos are aligned crops; no face was looked for.
        detector_hash: SHA-256 of the face detector; "" for aligned crops.
        min_face: side of the smallest face that was looked for.
        max_faces: only the largest so many were taken; 0 = all.
        maximum_pixels: larger photos were refused; 0 = the library's limit.
        format: version of all this.
    """

    root: str
    attributes: tuple[str, ...]
    thresholds: tuple[float, ...]
    trained: bool
    embedding: int
    model: str
    model_hash: str
    aligned: bool
    detector_hash: str
    min_face: float
    max_faces: int
    maximum_pixels: int
    format: int = FORMAT

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the attributes: their names, told apart from each other and the fixed columns without case."""
        taken = set(FIXED)
        columns = []
        for name in self.attributes:
            column, number = name, 1
            while column.casefold() in taken:
                number += 1
                column = f"{name}_{number}"
            taken.add(column.casefold())
            columns.append(column)
        return tuple(columns)

    @property
    def recipe(self) -> tuple[Any, ...]:
        """Everything that a row depends on beside its photo: rows of another recipe are of no use."""
        return (
            self.format,
            self.model_hash,
            self.aligned,
            self.detector_hash,
            self.min_face,
            self.max_faces,
            self.maximum_pixels,
        )

    def schema(self) -> pa.Schema:
        """The columns, and this description as metadata."""
        pa = arrow()
        single = pa.float32()
        columns = [
            pa.field("path", pa.string(), nullable=False),
            pa.field("path_bytes", pa.binary()),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("mtime_ns", pa.int64(), nullable=False),
            pa.field("error", pa.string()),
            pa.field("face", pa.int32()),
            *(pa.field(side, single) for side in BOX),
            pa.field("score", single),
            pa.field("landmarks", pa.list_(single, 10)),
            *(pa.field(name, single) for name in self.columns),
            pa.field("embedding", pa.list_(single, self.embedding)),
        ]
        return pa.schema(columns, metadata={KEY: json.dumps(asdict(self)).encode()})


def describe(schema: pa.Schema, path: str | os.PathLike[str]) -> Description:
    """The description in a Parquet file's schema.

    Raises:
        FormatError: it is no index, or one of a later version.
    """
    text = (schema.metadata or {}).get(KEY)
    if text is None:
        raise FormatError(f"{os.fspath(path)} is a Parquet file, but not an index: its metadata lack `blan.index`")
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise FormatError(f"{os.fspath(path)} is an index of format {content['format']}; expected {FORMAT}")
        for key in ("attributes", "thresholds"):
            content[key] = tuple(content[key])
        described = Description(**content)
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{os.fspath(path)}: its metadata `blan.index` are damaged: {error}") from error
    missing = [name for name in (*FIXED, *described.columns) if name not in schema.names]
    if missing:
        raise FormatError(f"{os.fspath(path)} lacks the column {missing[0]!r}")
    return described


def opened(path: str | os.PathLike[str]) -> tuple[Any, Description]:
    """A pyarrow ParquetFile and its description.

    Raises:
        FileError: it cannot be read.
        FormatError: it is no index.
    """
    pa = arrow()
    parquet = needed("pyarrow.parquet", "index", "an index of photos")
    try:
        file = parquet.ParquetFile(os.fspath(path))
    except pa.ArrowInvalid as error:
        raise FormatError(f"{os.fspath(path)} is not a Parquet file, or a damaged one: {error}") from error
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error
        raise FileError(f"cannot read {os.fspath(path)}: {reason}") from error
    try:
        return file, describe(file.schema_arrow, path)
    except BaseException:
        file.close()
        raise


def keys_of(batch: pa.RecordBatch) -> Sequence[bytes]:
    """The path of each row as the file system has it."""
    names, raw = batch.column("path").to_pylist(), batch.column("path_bytes").to_pylist()
    return [name.encode() if exact is None else exact for name, exact in zip(names, raw, strict=True)]

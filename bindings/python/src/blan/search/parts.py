"""An index in the making: parts beside it that outlive a run that was broken off, and the whole that replaces it."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from .._extras import needed
from .._files import atomic_file
from ..errors import BlanError, FileError, InvalidArgumentError
from .rows import PhotoFile, Rows, error_text
from .schema import Description, arrow, keys_of, opened

_PART_ROWS, _PART_PHOTOS, _PART_SECONDS = 2048, 1024, 30.0
"""A part is written when one of these is reached: so much is lost at most when the power fails."""

_GROUP_ROWS = 4096
"""Rows of a row group of the index, at least."""

_BATCH_ROWS = 1024
"""Rows that are copied at once."""

_OPTIONS = {"compression": "zstd", "use_dictionary": ["path", "error"]}


class Work:
    """The parts of an index in the making, in the folder `INDEX.parts` beside it, which one process uses at a time.

    Args:
        path: the index.
        description: what the rows are made with; parts and an index of another recipe count for nothing.

    Attributes:
        before: paths that were known when the work began.

    Raises:
        FileError: the folder cannot be made.
        InvalidArgumentError: another process works on the index, or it is of another folder that is still there.
        FormatError: `path` is there, but no index.
    """

    def __init__(self, path: str | os.PathLike[str], description: Description) -> None:
        self._path, self._description = Path(path), description
        self._folder = Path(f"{os.fspath(path)}.parts")
        self._rows, self._started = Rows(description), time.monotonic()
        # Paths as they are in the newest source that has them.
        self._known: dict[bytes, tuple[int, int, str | None, int]] = {}
        self._sources: list[Path] = []
        self._root = ""

    def __enter__(self) -> Work:
        try:
            self._folder.mkdir(exist_ok=True)
            self._lock = (self._folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InvalidArgumentError(f"{self._path} is being made by another process") from None
        except OSError as error:
            raise FileError(f"cannot write {self._folder}: {error.strerror}") from error
        try:
            for source in ([self._path] if self._path.exists() else []) + sorted(self._folder.glob("*.parquet")):
                self._read(source)
        except BaseException:
            self._release()
            raise
        self.before = frozenset(self._known)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if len(self._rows):
                self._flush()
        finally:
            self._release()

    def has(self, photo: PhotoFile) -> bool:
        """Whether the photo was read before, successfully, and has not changed since."""
        return self._known.get(photo.key, ())[:3] == (photo.size, photo.mtime_ns, None)

    def add(self, photo: PhotoFile, predictions: list[Any]) -> None:
        """Takes all that was found in a photo; a part is written now and then."""
        error = error_text(predictions[0].error) if predictions else None
        if error is not None and self._known.get(photo.key, ())[:3] == (photo.size, photo.mtime_ns, error):
            return  # as unreadable as before: nothing to write
        self._rows.add(photo, predictions)
        waited = time.monotonic() - self._started
        if len(self._rows) >= _PART_ROWS or self._rows.photos >= _PART_PHOTOS or waited >= _PART_SECONDS:
            self._flush()

    def finish(self, photos: list[PhotoFile]) -> bool:
        """Writes the index of these photos, all of which were read, whole or not at all, and removes the parts.

        Returns:
            Whether there was anything to write.
        """
        if len(self._rows):
            self._flush()
        present = {photo.key for photo in photos}
        if self._sources == [self._path] and present == self._known.keys() and self._root == self._description.root:
            return False
        keep: list[set[bytes]] = [set() for _ in self._sources]
        for key, (*_, source) in self._known.items():
            if key in present:
                keep[source].add(key)
        parquet = needed("pyarrow.parquet", "index", "an index of photos")
        schema = self._description.schema()
        with atomic_file(self._path) as file, parquet.ParquetWriter(file, schema, **_OPTIONS) as writer:
            for table in _grouped(_kept(zip(self._sources, keep, strict=True)), _GROUP_ROWS):
                writer.write_table(table.replace_schema_metadata(schema.metadata))
        shutil.rmtree(self._folder, ignore_errors=True)
        return True

    def _release(self) -> None:
        """Lets other processes have the folder, which goes if it holds nothing."""
        self._lock.close()
        if not any(self._folder.glob("*.parquet")):
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, path: Path) -> None:
        """Notes which photos a source has."""
        try:
            file, description = opened(path)
        except BlanError:
            if path == self._path:
                raise
            return  # a part that was cut off in the middle of being renamed holds nothing to keep
        with file:
            # What was indexed is not to be lost to another folder; a folder that was moved takes its index along.
            if description.root != self._description.root and os.path.isdir(description.root):
                raise InvalidArgumentError(
                    f"{self._path} is an index of {description.root}, not of {self._description.root}: "
                    "name another file, or delete it"
                )
            if description.recipe != self._description.recipe:
                return
            self._root = description.root
            source = len(self._sources)
            self._sources.append(path)
            for batch in file.iter_batches(columns=["path", "path_bytes", "size", "mtime_ns", "error"]):
                columns = (batch.column(name).to_pylist() for name in ("size", "mtime_ns", "error"))
                for key, size, mtime, error in zip(keys_of(batch), *columns, strict=True):
                    self._known[key] = (size, mtime, error, source)

    def _flush(self) -> None:
        """Writes the waiting rows as a part."""
        numbers = [int(part.stem) for part in self._folder.glob("*.parquet") if part.stem.isdigit()]
        path = self._folder / f"{max(numbers, default=0) + 1:06}.parquet"
        parquet = needed("pyarrow.parquet", "index", "an index of photos")
        with atomic_file(path) as file:
            parquet.write_table(self._rows.table(), file, **_OPTIONS)
        self._rows, self._started = Rows(self._description), time.monotonic()
        self._read(path)


def _kept(sources: Iterator[tuple[Path, set[bytes]]]) -> Iterator[Any]:
    """The rows of each source whose path is to be kept, some at a time."""
    pa = arrow()
    for path, keys in sources:
        if not keys:
            continue
        file, _ = opened(path)
        with file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield pa.Table.from_batches([batch]).filter(pa.array([key in keys for key in keys_of(batch)]))


def _grouped(tables: Iterator[Any], rows: int) -> Iterator[Any]:
    """Tables joined to at least so many rows each."""
    pa = arrow()
    waiting: list[Any] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= rows:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)

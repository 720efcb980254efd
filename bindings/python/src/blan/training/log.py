"""CSV files that grow with a run and go back to where a checkpoint stands."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

from .._files import write_atomically
from ..errors import FileError, FormatError
from .progress import Progress

STEP_COLUMNS = (
    *("step", "epoch", "learning_rate", "total"),
    *(f"cls{level}" for level in range(1, 5)),
    *(f"lmim{level}" for level in range(1, 5)),
    *("rec", "sf", "gradient_norm", "images_per_second"),
)
EPOCH_COLUMNS = (*STEP_COLUMNS, "validation_loss", "validation_accuracy", "best_accuracy", "best_epoch", "skipped")


def row_of(progress: Progress) -> dict[str, float]:
    """A step or an epoch as the logs write it."""
    values = {name: getattr(progress, name, None) for name in EPOCH_COLUMNS}
    return values | progress.losses.terms()


class Log:
    """A CSV file with a row for each step or epoch; each row reaches the operating system before the next begins.

    A resumed run begins at its checkpoint: before the first row is added, those of the same and of later steps or
    epochs are dropped, and so is a row that was cut short.

    Args:
        path: the file; made where it is missing.
        columns: its columns.
        key: the column that counts, "step" or "epoch".

    Raises:
        FileError: the file cannot be read or written.
        FormatError: its columns are others.
    """

    def __init__(self, path: str | os.PathLike[str], columns: tuple[str, ...], key: str) -> None:
        self._path, self._columns, self._key = path, columns, key
        self._rows = read_rows(path, columns)
        self._file: TextIO | None = None

    def add(self, row: Mapping[str, float]) -> None:
        """Appends a row."""
        if self._file is None:
            self._begin([kept for kept in self._rows if int(kept[self._key]) < row[self._key]])
        try:
            csv.DictWriter(self._file, self._columns, lineterminator="\n", extrasaction="ignore").writerow(row)
            self._file.flush()
        except OSError as error:
            raise FileError(f"cannot write {os.fspath(self._path)}: {error.strerror}") from error

    def _begin(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self._path, text.getvalue())
        try:
            self._file = open(self._path, "a", encoding="utf-8", newline="")  # noqa: SIM115
        except OSError as error:
            raise FileError(f"cannot write {os.fspath(self._path)}: {error.strerror}") from error

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def read_rows(path: str | os.PathLike[str], columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The whole rows of a log: a last line without its end is left out. None where there is no file.

    Raises:
        FileError: the file cannot be read.
        FormatError: its columns are others.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")[:-1]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {os.fspath(path)}: {error}") from error
    rows = list(csv.reader(lines))
    if rows and tuple(rows[0]) != columns:
        raise FormatError(f"{os.fspath(path)} has the columns {', '.join(rows[0])}; expected {', '.join(columns)}")
    return [dict(zip(columns, row, strict=True)) for row in rows[1:] if len(row) == len(columns)]

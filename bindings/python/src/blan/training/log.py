"""CSV files that grow with a run and go back to where a checkpoint stands."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from types import TracebackType

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

    Args:
        path: the file.
        columns: its columns; one of them is ``step``.
        through: rows of later steps are dropped from a file that is there, and so is a row that was cut short.

    Raises:
        FileError: the file cannot be read or written.
        FormatError: its columns are others.
    """

    def __init__(self, path: str | os.PathLike[str], columns: tuple[str, ...], through: int) -> None:
        self._columns = columns
        rows = read_rows(path, columns) if os.path.exists(path) else []
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if int(row["step"]) <= through)
        write_atomically(path, text.getvalue())
        try:
            self._file = open(path, "a", encoding="utf-8", newline="")  # noqa: SIM115
        except OSError as error:
            raise FileError(f"cannot write {os.fspath(path)}: {error.strerror}") from error
        self._writer = csv.DictWriter(self._file, columns, lineterminator="\n", extrasaction="ignore")

    def add(self, row: Mapping[str, float]) -> None:
        """Appends a row."""
        try:
            self._writer.writerow(row)
            self._file.flush()
        except OSError as error:
            raise FileError(f"cannot write {self._file.name}: {error.strerror}") from error

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def read_rows(path: str | os.PathLike[str], columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The whole rows of a log: a last line without its end is left out.

    Raises:
        FileError: the file cannot be read.
        FormatError: its columns are others.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {os.fspath(path)}: {error}") from error
    rows = list(csv.reader(lines))
    if rows and tuple(rows[0]) != columns:
        raise FormatError(f"{os.fspath(path)} has the columns {', '.join(rows[0])}; expected {', '.join(columns)}")
    return [dict(zip(columns, row, strict=True)) for row in rows[1:] if len(row) == len(columns)]

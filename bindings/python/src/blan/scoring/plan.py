"""Which photos go into which part of the output: decided once, so that a run can be gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._extras import needed
from .._files import TEMPORARY, atomic_file, write_atomically
from .._folders import photos_below
from ..errors import FileError, FormatError, InvalidArgumentError
from ..search.schema import arrow
from .frames import Recipe, description

if TYPE_CHECKING:
    import pyarrow as pa

PLAN, PHOTOS = "_plan.json", "_photos.parquet"
"""Files of the output beside its parts; readers of Parquet folders pass over names that begin so."""

_UNFINISHED = (TEMPORARY, "_photos.")
"""How the names of all files begin that are there before the plan is."""

_ROWS = 256
"""Photos that are read from the input at once."""


@dataclass(frozen=True)
class Part:
    """Some photos in a row of one row group, and where their scores go.

    Attributes:
        number: from 0.
        file: a Parquet file with a column `path`, `bytes` or both.
        group: its row group.
        start: first row in it.
        count: rows.
    """

    number: int
    file: str
    group: int
    start: int
    count: int

    def path(self, output: Path) -> Path:
        """Its file in the output."""
        return output / f"part-{self.number:07}.parquet"

    def photos(self) -> Iterator[pa.Table]:
        """Its photos, some at a time."""
        pa, parquet = arrow(), needed("pyarrow.parquet", "score", "scoring")
        begin, end, row = self.start, self.start + self.count, 0
        with parquet.ParquetFile(self.file) as file:
            columns = [name for name in ("path", "bytes") if name in file.schema_arrow.names]
            for batch in file.iter_batches(_ROWS, row_groups=[self.group], columns=columns):
                low, high = max(begin - row, 0), min(end - row, len(batch))
                if low < high:
                    yield pa.Table.from_batches([batch.slice(low, high - low)])
                row += len(batch)
                if row >= end:
                    return


def planned(source: Path, output: Path, recipe: Recipe, part_photos: int) -> list[Part]:
    """The parts of an output: those that were decided when it was begun, or new ones.

    Raises:
        InvalidArgumentError: the output was begun with another input or other options, or holds other things.
        FileError, FormatError: the input cannot be read.
    """
    made_of = _made_of(source, recipe, part_photos)
    path = output / PLAN
    try:
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")) != made_of:
                raise InvalidArgumentError(
                    f"{output} holds scores of another input or model, or with other options: name another folder"
                )
        else:
            output.mkdir(parents=True, exist_ok=True)
            if not all(path.name.startswith(_UNFINISHED) for path in output.iterdir()):
                raise InvalidArgumentError(f"{output} holds other things than scores: name another folder")
            if not made_of["files"]:
                _write_photos(_listed(source), output / PHOTOS, part_photos)
            write_atomically(path, json.dumps(made_of, indent=2) + "\n")
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot write {output}: {error.strerror or error}") from error
    files = [name for name, *_ in made_of["files"]] or [str(output / PHOTOS)]
    return list(_parts(files, part_photos))


def _made_of(source: Path, recipe: Recipe, part_photos: int) -> dict[str, Any]:
    """What the output depends on. Folders and lists are read once, when it is begun: their photos may come and go."""
    if not source.exists():
        raise FileError(f"cannot read {source}: no such file or folder")
    files = [source] if source.suffix == ".parquet" else []
    if source.is_dir():
        files = sorted(path for path in source.glob("*.parquet") if not path.name.startswith(("_", ".")))
    stats = [(path.absolute(), path.stat()) for path in files]
    about = asdict(recipe) | {"model_hash": description(recipe).model_hash, "detector_hash": ""}
    if not recipe.aligned:
        about["detector_hash"] = description(recipe).detector_hash
    return {
        "format": 1,
        "input": str(source.absolute()),
        "files": [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats],
        "part_photos": part_photos,
        "recipe": about,
    }


def _listed(source: Path) -> Iterator[str]:
    """The photos below a folder, or those that a text file names, relative to where it lies."""
    if source.is_dir():
        yield from photos_below(source.absolute())
        return
    try:
        with source.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                if name := line.rstrip("\r\n"):
                    yield os.path.join(source.absolute().parent, name)
    except OSError as error:
        raise FileError(f"cannot read {source}: {error.strerror}") from error


def _write_photos(paths: Iterator[str], target: Path, group: int) -> None:
    """A Parquet file with the paths, a row group for each part."""
    pa, parquet = arrow(), needed("pyarrow.parquet", "score", "scoring")
    columns = pa.schema([pa.field("path", pa.string(), nullable=False)])
    with atomic_file(target) as file, parquet.ParquetWriter(file, columns) as writer:
        waiting: list[str] = []
        for path in paths:
            waiting.append(_text(path))
            if len(waiting) == group:
                writer.write_table(pa.table([waiting], schema=columns))
                waiting = []
        if waiting:
            writer.write_table(pa.table([waiting], schema=columns))


def _text(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"the path {path!r} is not UTF-8: rename the file") from error
    return path


def _parts(files: list[str], part_photos: int) -> Iterator[Part]:
    pa, parquet = arrow(), needed("pyarrow.parquet", "score", "scoring")
    number = 0
    for name in files:
        try:
            about = parquet.read_metadata(name)
            columns = parquet.read_schema(name).names
        except (OSError, pa.ArrowInvalid) as error:
            raise FormatError(f"{name} is not a Parquet file, or a damaged one: {error}") from error
        if not {"path", "bytes"} & set(columns):
            raise FormatError(f"{name} has the columns {', '.join(columns)}; expected path or bytes")
        for group in range(about.num_row_groups):
            rows = about.row_group(group).num_rows
            for start in range(0, rows, part_photos):
                yield Part(number, name, group, start, min(part_photos, rows - start))
                number += 1

"""Photos in pandas frames to the attributes of their faces in pandas frames: what Ray, Spark and this machine share."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..detection import Detector
from ..errors import InvalidArgumentError
from ..model import Model, load
from ..search.build import description_of
from ..search.rows import PhotoFile, Rows
from ..search.schema import Description, arrow

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

_PHOTOS = 64
"""Photos in one call of the model."""

_LEFT_OUT = ("path_bytes", "size", "mtime_ns")
"""Columns of an index that scores lack."""


@dataclass(frozen=True)
class Recipe:
    """What photos are scored with.

    Attributes:
        model: a model file; None = the bundled model.
        aligned: the photos are crops framed like CelebA's: no face is looked for.
        min_face: side of the smallest face that is looked for, in pixels, from 12.
        max_faces: only the largest so many of a photo; 0 = all.
        embeddings: whether rows have an embedding.
        maximum_pixels: a larger photo is refused before it is decoded; 0 = 178,956,970.
    """

    model: str | None = None
    aligned: bool = False
    min_face: float = 20
    max_faces: int = 0
    embeddings: bool = False
    maximum_pixels: int = 0


def score_batches(
    frames: Iterable[pandas.DataFrame],
    *,
    model: str | os.PathLike[str] | None = None,
    aligned: bool = False,
    min_face: float = 20,
    max_faces: int = 0,
    embeddings: bool = False,
    maximum_pixels: int = 0,
    threads: int = 1,
) -> Iterator[pandas.DataFrame]:
    """Scores the photos of pandas frames; Spark's ``mapInPandas`` takes it as it is.

    A frame has the column ``path``, ``bytes`` (an encoded JPEG or PNG; it is used where both are there), or both. Each
    frame gives one with a row for every face (``face`` = 1 for the largest), and one row (``face`` = 0) for a photo
    without any or, with its ``error``, one that cannot be read: no photo is without a row. `schema` tells the columns.

    In Spark::

        spark.read.parquet("photos").mapInPandas(score_batches, spark_schema())

    The model is loaded once in a process.

    Args:
        frames: in turn.
        model: a model file, which every machine must see; None = the bundled model.
        aligned: the photos are crops framed like CelebA's: no face is looked for.
        min_face: side of the smallest face that is looked for, in pixels, from 12.
        max_faces: only the largest so many of a photo; 0 = all.
        embeddings: also give an embedding of every face.
        maximum_pixels: a larger photo is refused before it is decoded; 0 = 178,956,970.
        threads: to work on; Spark and Ray run one task a core.

    Raises:
        UnsupportedError: pandas or pyarrow is not installed.
        InvalidArgumentError: a frame has neither column.
    """
    path = None if model is None else os.path.abspath(model)
    recipe = Recipe(path, aligned, min_face, max_faces, embeddings, maximum_pixels)
    for frame in frames:
        yield score_table(arrow().Table.from_pandas(_columns(frame), preserve_index=False), recipe, threads).to_pandas()


def schema(
    *, model: str | os.PathLike[str] | None = None, aligned: bool = False, embeddings: bool = False
) -> pa.Schema:
    """The columns that `score_batches` gives and `score` writes, as pyarrow has them."""
    recipe = Recipe(None if model is None else os.path.abspath(model), aligned, embeddings=embeddings)
    return _schema(_tools(recipe, 1).description, recipe)


def spark_schema(**options: Any) -> str:
    """The same as `schema`, with its keywords, in the words of Spark's DDL."""
    names = {"string": "string", "int32": "int", "float": "float"}
    kinds = [names.get(str(field.type), "array<float>") for field in schema(**options)]
    columns = zip(schema(**options).names, kinds, strict=True)
    return ", ".join(f"`{name.replace('`', '``')}` {kind}" for name, kind in columns)


def score_table(photos: pa.Table, recipe: Recipe, threads: int) -> pa.Table:
    """Scores the photos of an Arrow table, as `score_batches` does."""
    pa, tools = arrow(), _tools(recipe, threads)
    rows = Rows(tools.description)
    for start in range(0, len(photos), _PHOTOS):
        batch = photos.slice(start, _PHOTOS)
        paths, contents = (_values(batch, name) for name in ("path", "bytes"))
        sources = [path if content is None else content for path, content in zip(paths, contents, strict=True)]
        for path, found in zip(paths, tools.predict(sources), strict=True):
            rows.add(PhotoFile(path or "", 0, 0), found)
    columns = _schema(tools.description, recipe)
    if not len(rows):
        return columns.empty_table()
    table = rows.table().select(columns.names)
    place = columns.names.index("face")
    return table.set_column(place, columns.field(place), pa.compute.fill_null(table.column(place), 0)).cast(columns)


@dataclass(frozen=True)
class _Tools:
    network: Model
    detector: Detector | None
    description: Description
    recipe: Recipe

    def predict(self, sources: list[Any]) -> list[Any]:
        options: dict[str, Any] = {"on_error": "keep", "embeddings": self.recipe.embeddings}
        options["maximum_pixels"] = self.recipe.maximum_pixels
        known = [source for source in sources if source is not None]
        if self.detector is None:
            found = iter([[one] for one in self.network.predict(known, aligned=True, **options)] if known else [])
        else:
            found = iter(self.network.predict(known, detector=self.detector, **options) if known else [])
        nothing = self.network.predict([b""], aligned=True, on_error="keep") if len(known) < len(sources) else []
        return [nothing if source is None else next(found) for source in sources]


@functools.lru_cache(maxsize=2)
def _tools(recipe: Recipe, threads: int) -> _Tools:
    """Loaded once in a process, whoever asks."""
    network = load(recipe.model, threads=threads)
    detector = None
    if not recipe.aligned:
        detector = Detector(min_face=recipe.min_face, max_faces=recipe.max_faces, threads=threads)
    about = description_of("", network, detector, recipe.min_face, recipe.max_faces, recipe.maximum_pixels)
    return _Tools(network, detector, about, recipe)


def description(recipe: Recipe) -> Description:
    """What rows of the recipe are made with."""
    return _tools(recipe, 1).description


def _schema(about: Description, recipe: Recipe) -> pa.Schema:
    left_out = _LEFT_OUT if recipe.embeddings else (*_LEFT_OUT, "embedding")
    fields = [field for field in about.schema() if field.name not in left_out]
    return arrow().schema(fields)


def _columns(frame: pandas.DataFrame) -> pandas.DataFrame:
    known = [name for name in ("path", "bytes") if name in frame.columns]
    if not known:
        names = ", ".join(map(str, frame.columns))
        raise InvalidArgumentError(f"a frame has the columns {names}; expected path or bytes")
    return frame[known]


def _values(table: pa.Table, name: str) -> list[Any]:
    """A column as Python has it; nothing in every row where there is no such column, or only nothing in it."""
    return table.column(name).to_pylist() if name in table.column_names else [None] * len(table)

"""Looking for faces in an index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from .._extras import needed
from ..bundled import default_model_path
from ..detection import Detector, Face
from ..errors import InvalidArgumentError
from ..images import Photo
from ..model import Model, load
from ..prediction import Prediction
from .build import file_hash
from .schema import BOX, opened
from .where import Clause, Column, amount, condition

_SETTINGS = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""The database reads what it is given and nothing else."""

_ROWS = 256
"""Faces that are taken from it at once."""


@dataclass(frozen=True, repr=False, eq=False)
class Found:
    """A face that was found.

    Attributes:
        prediction: its attributes, box and path (`Prediction.source`, absolute); `embeddings` is None.
        number: 1 for the largest face of its photo, 2 for the next, ...
        similarity: cosine of its embedding with that of the photo it should be like, -1 to 1; None without one.
        embedding: T_1 to T_4 one after another, where asked for.
    """

    prediction: Prediction
    number: int
    similarity: float | None = None
    embedding: np.ndarray | None = None

    @property
    def path(self) -> str:
        """The photo."""
        return self.prediction.source

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it: what `Prediction.to_dict` gives, the number, and the similarity where there is one."""
        result = self.prediction.to_dict() | {"number": self.number}
        return result if self.similarity is None else result | {"similarity": self.similarity}

    def __repr__(self) -> str:
        alike = "" if self.similarity is None else f", similarity {self.similarity:.3f}"
        return f"<Found face {self.number}{alike} {self.prediction!r}>"


class Index:
    """An index that `blan.index` made.

    It never changes, even when the file is replaced: open it again to see that. One thread at a time may use it.

    Args:
        path: the Parquet file.
        root: the folder of the photos, where it was moved since; None = where it was.
        model: the model that made the index, for `like`; None = the file that it was then.

    Attributes:
        path: the file.
        root: the folder of the photos.
        names: the N attributes.
        thresholds: N floats: the probability from which an attribute counts as present.
        trained: False when the model's weights were random.

    Raises:
        UnsupportedError: pyarrow or duckdb is not installed.
        FileError, FormatError: the file cannot be read or is no index.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        model: str | os.PathLike[str] | None = None,
    ) -> None:
        duckdb = needed("duckdb", "index", "looking for faces in an index")
        dataset = needed("pyarrow.dataset", "index", "an index of photos")
        file, self._description = opened(path)
        file.close()
        self.path = os.fspath(path)
        self.root = self._description.root if root is None else os.path.realpath(root)
        self.names = self._description.attributes
        self.thresholds = np.array(self._description.thresholds, dtype=np.float32)
        self.thresholds.flags.writeable = False
        self.trained = self._description.trained
        self._model_path = model
        self._model: Model | None = None
        self._connection = duckdb.connect(":memory:", config=_SETTINGS)
        self._dataset = dataset.dataset(os.fspath(path), format="parquet")

    def find(
        self,
        where: str | None = None,
        *,
        like: Photo | None = None,
        limit: int | None = None,
        sort: str | None = None,
        embeddings: bool = False,
    ) -> list[Found]:
        """Looks for faces.

        Args:
            where: a condition on attributes, such as `Smiling > 0.8 and not Eyeglasses`; an attribute that stands alone
                counts from its threshold. docs/search.md tells all that it may hold.
            like: a photo whose largest face the faces should be like, by the cosine of their embeddings. They come most
                similar first, and `where` and `sort` may name `similarity`.
            limit: at most so many; None = all.
            sort: a number to sort by, greatest first, such as `Smiling`; None = by similarity, or by path.
            embeddings: also return the embeddings.

        Raises:
            InvalidArgumentError: a condition that is not understood; a photo without a face; another model than that of
                the index.
            BlanError: the photo cannot be read.
        """
        return list(self.iterate(where, like=like, limit=limit, sort=sort, embeddings=embeddings))

    def iterate(
        self,
        where: str | None = None,
        *,
        like: Photo | None = None,
        limit: int | None = None,
        sort: str | None = None,
        embeddings: bool = False,
    ) -> Iterator[Found]:
        """What `find` gives, some at a time: for more faces than should be in memory at once."""
        if limit is not None and limit < 0:
            raise InvalidArgumentError(f"limit is {limit}; expected 0 or more")
        similarity = None if like is None else self._similarity(like)
        columns = self._columns(similarity is not None)
        chosen = Clause("true") if where is None else condition(where, columns)
        order = None if sort is None else amount(sort, columns)
        return self._rows(chosen, order, similarity, limit, embeddings)

    def counts(self) -> dict[str, int]:
        """How many photos there are, how many faces, photos without one, and photos that could not be read."""
        query = (
            "select count(distinct coalesce(path_bytes, encode(path))), count(face), "
            "count(*) filter (face is null and error is null), count(error) from faces"
        )
        names = ("photos", "faces", "without_face", "unreadable")
        return dict(zip(names, self._query(query).fetchone(), strict=True))

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<blan.Index {self.path} of {self.root}>"

    def _columns(self, similar: bool) -> dict[str, Column]:
        """What conditions may name; an attribute comes before anything else of its name."""
        columns = {name: Column(name) for name in ("face", *BOX, "score", "size")}
        columns |= {"width": Column('("right" - "left")'), "height": Column("(bottom - top)")}
        columns |= {name: Column(f'"{column.sql}"') for name, column in columns.items() if name in ("left", "right")}
        columns["path"] = Column("path", "text")
        if similar:
            columns["similarity"] = Column("similarity")
        about = self._description
        for name, column, threshold in zip(about.attributes, about.columns, about.thresholds, strict=True):
            columns[name] = Column(_identifier(column), threshold=threshold)
        return columns

    def _similarity(self, like: Photo) -> Clause:
        """The cosine of the faces' embeddings with that of a photo's largest face."""
        model = self._opened_model()
        if self._description.aligned:
            found = [model.predict(like, aligned=True, embeddings=True)]
        else:
            detector = Detector(min_face=self._description.min_face, max_faces=1, threads=model.threads)
            found = model.predict(like, detector=detector, embeddings=True)
        if not found:
            name = os.fspath(like) if isinstance(like, (str, os.PathLike)) else "the photo"
            raise InvalidArgumentError(f"{name}: no face found that others could be like")
        length = self._description.embedding
        sql = f"array_cosine_similarity(embedding, ?::float[{length}])"
        return Clause(sql, (found[0].embeddings.ravel().tolist(),))  # type: ignore[union-attr]

    def _opened_model(self) -> Model:
        if self._model is None:
            path = self._model_path or self._description.model or default_model_path()
            if file_hash(path) != self._description.model_hash:
                raise InvalidArgumentError(
                    f"{os.fspath(path)} is not the model that made {self.path}: name that one, or make the index again"
                )
            self._model = load(path)
        return self._model

    def _rows(
        self, where: Clause, sort: Clause | None, similarity: Clause | None, limit: int | None, embeddings: bool
    ) -> Iterator[Found]:
        # Named by their place: names of attributes may be anything.
        about = self._description
        chosen = ["path", "path_bytes", "face", *(f'"{side}"' for side in BOX), "score", "landmarks"]
        chosen += [_identifier(column) for column in about.columns]
        chosen += ["embedding"] if embeddings else []
        chosen += ["similarity"] if similarity else []
        order = [f"{sort.sql} desc"] if sort else ["similarity desc"] if similarity else []
        source, parameters = "faces", ()
        if similarity:
            source = f"(select *, {similarity.sql} as similarity from faces where face is not null)"
            parameters = similarity.parameters
        query = f"select {', '.join(chosen)} from {source} where face is not null and {where.sql} "
        query += f"order by {', '.join([*order, 'path', 'path_bytes', 'face'])}"
        query += "" if limit is None else f" limit {limit}"
        parameters += where.parameters + (sort.parameters if sort else ())
        cursor = self._query(query, parameters)
        while rows := cursor.fetchmany(_ROWS):
            for row in rows:
                yield self._found(row, embeddings)

    def _query(self, query: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Runs a query with a cursor of its own: the results of an earlier one may still be coming."""
        cursor = self._connection.cursor()
        cursor.register("faces", self._dataset)
        return cursor.execute(query, parameters)

    def _found(self, row: tuple[Any, ...], embeddings: bool) -> Found:
        path, raw, number, *box, score, landmarks = row[:9]
        probabilities, rest = row[9 : 9 + len(self.names)], list(row[9 + len(self.names) :])
        face = None
        if score is not None:
            face = Face(tuple(box), score, np.array(landmarks, dtype=np.float32).reshape(5, 2))
        prediction = Prediction(
            names=self.names,
            probabilities=np.array(probabilities, dtype=np.float32),
            thresholds=self.thresholds,
            trained=self.trained,
            source=os.path.join(self.root, path if raw is None else os.fsdecode(raw)),
            face=face,
        )
        embedding = np.array(rest.pop(0), dtype=np.float32) if embeddings else None
        similarity = rest.pop(0) if rest else None
        return Found(prediction, number, similarity, embedding)


def _identifier(column: str) -> str:
    """A column's name as SQL has it."""
    return '"' + column.replace('"', '""') + '"'

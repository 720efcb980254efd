"""Scoring an input part by part: those that are written stay, those that are missing are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from .._extras import needed
from .._files import atomic_file
from ..errors import CancelledError, InvalidArgumentError
from ..search.schema import arrow
from .frames import Recipe, score_table
from .plan import Part, planned

OnProgress: TypeAlias = Callable[[int, int], "bool | None"]

_BLOCKS = 4096
"""Tasks of Ray at most: each does some parts."""


@dataclass(frozen=True)
class Scored:
    """What `score` did.

    Attributes:
        output: the folder.
        photos: photos of the input.
        scored: how many of them were scored now; the others were before.
        faces: faces found in those.
        unreadable: how many of those could not be read.
    """

    output: str
    photos: int
    scored: int
    faces: int
    unreadable: int


def score(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    aligned: bool = False,
    min_face: float = 20,
    max_faces: int = 0,
    embeddings: bool = False,
    maximum_pixels: int = 0,
    part_photos: int = 1024,
    threads: int = 0,
    ray: bool = False,
    on_progress: OnProgress | None = None,
) -> Scored:
    """Scores every photo of an input into a folder of Parquet files, here or on a Ray cluster.

    Each part of the output appears whole or not at all and holds the same photos whenever it is made: a run that was
    broken off is gone on with by the same call, and a worker of Ray that dies loses nothing and doubles nothing.
    `blan.scoring.schema` tells the columns.

    Args:
        source: a folder of photos, searched to the bottom; a text file with a path on each line; or a Parquet file or
            a folder of such, with a column ``path``, ``bytes`` (an encoded photo), or both.
        output: a folder that is new or was begun with the same input and options. With Ray every machine must see it,
            the input and the model under the same path.
        model: a model file; None = the bundled model.
        aligned: the photos are crops framed like CelebA's: no face is looked for.
        min_face: side of the smallest face that is looked for, in pixels, from 12.
        max_faces: only the largest so many of a photo; 0 = all.
        embeddings: also write an embedding of every face.
        maximum_pixels: a larger photo is refused before it is decoded; 0 = 178,956,970.
        part_photos: photos of a part, from 1.
        threads: to work on here; 0 = all cores this process may use. Ray runs one task a core.
        ray: work on Ray Data: on the cluster of ``RAY_ADDRESS``, or one that is started on this machine.
        on_progress: called with the number of photos done and of all; False stops.

    Raises:
        UnsupportedError: pyarrow, or with `ray` Ray, is not installed.
        InvalidArgumentError: `output` is of another input or other options; a number out of range.
        FileError, FormatError: the input cannot be read, or the output written.
        CancelledError: `on_progress` returned False; a further call goes on from there.
    """
    if part_photos < 1:
        raise InvalidArgumentError(f"part_photos is {part_photos}; expected 1 or more")
    path = None if model is None else os.path.abspath(model)
    recipe = Recipe(path, aligned, min_face, max_faces, embeddings, maximum_pixels)
    folder = Path(output).absolute()
    parts = planned(Path(source), folder, recipe, part_photos)
    missing = [part for part in parts if not part.path(folder).exists()]
    photos, waiting = (sum(part.count for part in some) for some in (parts, missing))
    done, faces, unreadable = photos - waiting, 0, 0
    if missing and on_progress is not None:
        on_progress(done, photos)
    made = _on_ray(missing, folder, recipe) if ray else (made_part(part, folder, recipe, threads) for part in missing)
    for result in made:
        done, faces, unreadable = done + result["photos"], faces + result["faces"], unreadable + result["unreadable"]
        if on_progress is not None and on_progress(done, photos) is False and done < photos:
            raise CancelledError(f"stopped after {done} of {photos} photos")
    return Scored(os.fspath(output), photos, waiting, faces, unreadable)


def made_part(part: Part, output: Path, recipe: Recipe, threads: int) -> dict[str, int]:
    """Scores a part and writes it, whole or not at all.

    Returns:
        Numbers of its photos, faces and unreadable photos.
    """
    tables = [score_table(photos, recipe, threads) for photos in part.photos()]
    table = arrow().concat_tables(tables)
    parquet = needed("pyarrow.parquet", "score", "scoring")
    with atomic_file(part.path(output)) as file:
        parquet.write_table(table, file, compression="zstd")
    compute = needed("pyarrow.compute", "score", "scoring")
    faces = compute.sum(compute.greater(table.column("face"), 0)).as_py() or 0
    return {"photos": part.count, "faces": faces, "unreadable": len(table) - table.column("error").null_count}


def _on_ray(missing: list[Part], output: Path, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """The parts made by tasks of Ray Data, in any order. A task whose worker dies is run again."""
    if not missing:
        return
    ray = needed("ray", "ray", "scoring with --ray")
    data = needed("ray.data", "ray", "scoring with --ray")
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves this machine unasked
        ray.init(log_to_driver=False, logging_level="warning")
    data.DataContext.get_current().enable_progress_bars = False

    def make(row: dict[str, Any]) -> dict[str, Any]:
        return made_part(missing[row["id"]], output, recipe, 1)

    blocks = min(len(missing), _BLOCKS)
    yield from data.range(len(missing), override_num_blocks=blocks).map(make, num_cpus=1).iter_rows()

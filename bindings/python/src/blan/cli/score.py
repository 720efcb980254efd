"""`blan score`: the attributes of any number of photos into a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..scoring import score as score_all
from .console import note
from .options import Aligned, MaxFaces, MinFace, ModelFile, Quiet
from .resumable import resumable

EXAMPLES = """\b
Examples:
  blan score photos/ scores/
  blan score paths.txt scores/ --aligned --embeddings
  RAY_ADDRESS=ray-head:6379 blan score /shared/photos.parquet /shared/scores --ray
"""


def score(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="Folder of photos, text file of paths, or Parquet with a column path or bytes."
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="Folder of the scores; goes on with one that was begun.")
    ],
    ray: Annotated[bool, typer.Option("--ray", help="Work on the Ray cluster of RAY_ADDRESS, or on one here.")] = False,
    model: ModelFile = None,
    aligned: Aligned = False,
    min_face: MinFace = 20,
    max_faces: MaxFaces = 0,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Also write an embedding of every face.")] = False,
    part_photos: Annotated[int, typer.Option(metavar="N", min=1, help="Photos of a part of the output.")] = 1024,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, max=1024, help="Threads to work on here; 0 = all cores.")
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """Score any number of photos: a row of a Parquet file for every face.

    A photo without a face has one row, and so has one that cannot be read, with its error. Ctrl-C and crashes lose the
    parts that are being made; the same command goes on. The exit status is 1 if any photo could not be read.
    docs/scale.md tells the columns, and how to use the same from Spark.
    """
    with resumable("scoring", quiet) as on_progress:
        done = score_all(
            source,
            output,
            model=model,
            aligned=aligned,
            min_face=min_face,
            max_faces=max_faces,
            embeddings=embeddings,
            part_photos=part_photos,
            threads=threads,
            ray=ray,
            on_progress=on_progress,
        )
    if not quiet:
        before = done.photos - done.scored
        known = f", {before} were scored before" if before else ""
        note(f"{output}: {done.faces} faces in {done.scored} photos{known}")
    if done.unreadable:
        note(f"{done.unreadable} of {done.scored} photos could not be read: see the column error")
        raise typer.Exit(1)

"""`blan score`: the attributes of any number of photos into a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import CancelledError
from ..scoring import score as score_all
from .console import note
from .interrupts import Interrupts
from .progress import progress_over

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
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model file; without it, the one that comes with the package.")
    ] = None,
    aligned: Annotated[
        bool,
        typer.Option("--aligned", help="Each photo is one face framed like CelebA's aligned images: look for none."),
    ] = False,
    min_face: Annotated[
        float, typer.Option(metavar="PIXELS", min=12, help="Side of the smallest face that is looked for.")
    ] = 20,
    max_faces: Annotated[
        int, typer.Option(metavar="N", min=0, help="Only the largest N faces of a photo; 0 = all.")
    ] = 0,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Also write an embedding of every face.")] = False,
    part_photos: Annotated[int, typer.Option(metavar="N", min=1, help="Photos of a part of the output.")] = 1024,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, max=1024, help="Threads to work on here; 0 = all cores.")
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bar and no notes; errors are still printed.")
    ] = False,
) -> None:
    """Score any number of photos: a row of a Parquet file for every face.

    A photo without a face has one row, and so has one that cannot be read, with its error. Ctrl-C and crashes lose the
    parts that are being made; the same command goes on. The exit status is 1 if any photo could not be read.
    docs/scale.md tells the columns, and how to use the same from Spark.
    """
    stopping = Interrupts(lambda: None)
    try:
        with stopping, progress_over("scoring", 0, quiet) as advance:

            def on_progress(done: int, count: int) -> bool:
                advance(done, count)
                return not stopping.requested

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
    except CancelledError as error:
        note(f"{error}; the same command goes on from there")
        raise typer.Exit(130) from None
    if not quiet:
        before = done.photos - done.scored
        known = f", {before} were scored before" if before else ""
        note(f"{output}: {done.faces} faces in {done.scored} photos{known}")
    if done.unreadable:
        note(f"{done.unreadable} of {done.scored} photos could not be read: see the column error")
        raise typer.Exit(1)

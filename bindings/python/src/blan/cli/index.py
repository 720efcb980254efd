"""`blan index`: every face below a folder into a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import BlanError, CancelledError
from ..search import index as make_index
from .console import fail, note
from .interrupts import Interrupts
from .progress import progress_over

EXAMPLES = """\b
Examples:
  blan index photos/
  blan index photos/ -o photos.parquet --min-face 40
  blan find index.parquet --where "Smiling > 0.8 and not Eyeglasses" --html sheet.html
"""


def index(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of JPEG and PNG files, searched to the bottom.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The index; one that is there is brought up to date.")
    ] = Path("index.parquet"),
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
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, max=1024, help="Photos at the same time; 0 = one a core.")
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bar and no notes; errors are still printed.")
    ] = False,
) -> None:
    """Find and predict every face in every photo below a folder, and write them to a Parquet file.

    Run it again at any time: only photos that are new or changed are read. Ctrl-C loses nothing; the next run goes on.
    The exit status is 1 if any photo could not be read; such photos are in the index with their error.
    """

    def report(_path: str, error: BlanError) -> None:
        fail(error)

    stopping = Interrupts(lambda: None)
    try:
        with stopping, progress_over("indexing", 0, quiet) as advance:

            def on_progress(done: int, count: int) -> bool:
                advance(done, count)
                return not stopping.requested

            done = make_index(
                folder,
                out,
                model=model,
                aligned=aligned,
                min_face=min_face,
                max_faces=max_faces,
                threads=threads,
                on_progress=on_progress,
                on_unreadable=report,
            )
    except CancelledError as error:
        note(f"{error}; the same command goes on from there")
        raise typer.Exit(130) from None
    if not quiet:
        kept = done.photos - done.read
        parts = [f"{done.faces} faces in {done.read} photos"] if done.read or not kept else []
        parts += [f"{kept} photos known already"] if kept else []
        parts += [f"{done.removed} gone"] if done.removed else []
        note(f"{out}: {', '.join(parts)}")
    if done.unreadable:
        note(f"{done.unreadable} of {done.photos} photos could not be read")
        raise typer.Exit(1)

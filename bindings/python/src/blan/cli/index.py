"""`blan index`: every face below a folder into a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import BlanError
from ..search import index as make_index
from .console import fail, note
from .options import Aligned, MaxFaces, MinFace, ModelFile, Quiet
from .resumable import resumable

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
    model: ModelFile = None,
    aligned: Aligned = False,
    min_face: MinFace = 20,
    max_faces: MaxFaces = 0,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, max=1024, help="Photos at the same time; 0 = one a core.")
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """Find and predict every face in every photo below a folder, and write them to a Parquet file.

    Run it again at any time: only photos that are new or changed are read. Ctrl-C loses nothing; the next run goes on.
    The exit status is 1 if any photo could not be read; such photos are in the index with their error.
    """

    def report(_path: str, error: BlanError) -> None:
        fail(error)

    with resumable("indexing", quiet) as on_progress:
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
    if not quiet:
        kept = done.photos - done.read
        parts = [f"{done.faces} faces in {done.read} photos"] if done.read or not kept else []
        parts += [f"{kept} photos known already"] if kept else []
        parts += [f"{done.removed} gone"] if done.removed else []
        note(f"{out}: {', '.join(parts)}")
    if done.unreadable:
        note(f"{done.unreadable} of {done.photos} photos could not be read")
        raise typer.Exit(1)

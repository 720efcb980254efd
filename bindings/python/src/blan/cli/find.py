"""`blan find`: faces of an index by their attributes or their likeness."""

from __future__ import annotations

import contextlib
import csv as csv_format
import json as json_format
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.markup import escape
from rich.table import Table

from ..report.contact import write_contact_sheet
from ..report.words import spelled
from ..search import Found, Index
from .console import UNTRAINED, note, stdout, warn
from .options import FacesCsv, Json, NoNotes

EXAMPLES = """\b
Examples:
  blan find index.parquet --where "Smiling > 0.8 and not Eyeglasses"
  blan find index.parquet --where "Wearing_Hat or Bald" --sort Smiling --limit 20 --html sheet.html
  blan find index.parquet --like face.jpg --json
"""

SHEET_LIMIT = 1000
"""Faces on one contact sheet: more make a page that browsers are slow to open."""


def find(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Parquet file that `blan index` wrote.")],
    where: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help="Condition on attributes; one that stands alone counts from its threshold."
        ),
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="PHOTO", help="Faces like the largest one of this photo, most similar first.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="What to sort by, greatest first, such as Smiling.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="At most N faces; 0 = all.")] = 100,
    json: Json = False,
    csv: FacesCsv = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a contact sheet: an HTML page of the faces.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the photos are, if they were moved since.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model that made the index, for --like, if it was moved since."),
    ] = None,
    quiet: NoNotes = False,
) -> None:
    """Find faces in an index by their attributes (--where) or by their likeness to a face (--like).

    Without --json, --csv or --html a table is printed. Conditions know and, or, not, brackets, < <= > >= = !=, between,
    in, like, + - * /, min, max, abs; beside attributes also face, path, score, left, top, right, bottom, width, height,
    size and, with --like, similarity. Names with odd characters stand in double quotes. The exit status is 0 even if
    nothing is found.
    """
    if json and csv is not None and str(csv) == "-":
        raise typer.BadParameter("--json and --csv - both print to stdout")
    with Index(index, root=root, model=model) as opened, contextlib.ExitStack() as stack:
        if not opened.trained:
            warn(UNTRAINED)
        options = {"like": None if like is None else str(like), "sort": sort, "limit": limit or None}
        faces = opened.iterate(where, **options)
        table, sheet, count = _Shown(opened.root, where, sort), [], 0
        rows = None if csv is None else _Csv(stack.enter_context(_destination(csv)), opened.names, like is not None)
        for face in faces:
            count += 1
            if json:
                print(json_format.dumps(face.to_dict()))
            if rows is not None:
                rows.write(face)
            if html is not None and len(sheet) < SHEET_LIMIT:
                sheet.append(face)
            if not (json or csv or html):
                table.add(face)
        if html is not None:
            asked = [where or "", f"like {like.name}" if like else "", f"by {sort}" if sort else ""]
            lead = " · ".join(part for part in asked if part)
            write_contact_sheet(html, sheet, opened, title=f"Faces of {Path(opened.root).name}", lead=lead)
    if not (json or csv or html) and count:
        stdout().print(table.table)
    if quiet:
        return
    if csv is not None and str(csv) != "-":
        note(f"wrote {csv}: {count} faces")
    if html is not None:
        beyond = f" (the first {SHEET_LIMIT} of {count})" if count > SHEET_LIMIT else ""
        note(f"wrote {html}: {min(count, SHEET_LIMIT)} faces{beyond}")
    more = f"; --limit 0 shows all, if there are more than {limit}" if limit and count == limit else ""
    note(f"{count} face{'' if count == 1 else 's'} found{more}")


class _Shown:
    """The table for people: where each face is, and the attributes that the question names, or else those present."""

    def __init__(self, root: str, where: str | None, sort: str | None) -> None:
        self._root = root
        self._asked = f"{where or ''} {sort or ''}".casefold()
        self.table = Table(box=None, pad_edge=False)
        for column in ("photo", "face", "similarity", "attributes"):
            self.table.add_column(
                column, overflow="fold", justify="right" if column in ("face", "similarity") else "left"
            )

    def add(self, face: Found) -> None:
        """Takes a face."""
        named = {n: p for n, p in face.prediction.ranked() if n.casefold() in self._asked}
        chosen = named or dict(list(face.prediction.attributes.items())[:4])
        words = ", ".join(f"{spelled(name)} {probability:.2f}" for name, probability in chosen.items())
        alike = "" if face.similarity is None else f"{face.similarity:.3f}"
        path = os.path.relpath(face.path, self._root)
        self.table.add_row(escape(path), str(face.number), alike, escape(words))


class _Csv:
    """A row a face: path, number, similarity where there is one, box, score, probabilities."""

    def __init__(self, file: TextIO, names: tuple[str, ...], alike: bool) -> None:
        self._writer, self._alike = csv_format.writer(file, lineterminator="\n"), alike
        head = ["path", "face", *(["similarity"] if alike else []), "x0", "y0", "x1", "y1", "score"]
        self._writer.writerow([*head, *names])

    def write(self, found: Found) -> None:
        """Writes a row."""
        face = found.prediction.face
        box = [""] * 5 if face is None else [*(f"{side:.2f}" for side in face.box), f"{face.score:.6f}"]
        alike = [f"{found.similarity:.6f}"] if self._alike else []
        probabilities = (f"{p:.6f}" for p in found.prediction.probabilities)
        self._writer.writerow([found.path, found.number, *alike, *box, *probabilities])


@contextlib.contextmanager
def _destination(csv: Path) -> Iterator[TextIO]:
    if str(csv) == "-":
        yield sys.stdout
        return
    try:
        file = csv.open("w", encoding="utf-8", newline="", errors="surrogateescape")
    except OSError as error:
        raise typer.BadParameter(f"{csv}: {error.strerror}", param_hint="--csv") from error
    with file:
        yield file

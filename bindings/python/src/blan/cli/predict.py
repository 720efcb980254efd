"""`blan predict`: the attributes of photos, to a table, JSON, CSV or an HTML page."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..detection import Detector
from ..model import Model, load
from ..prediction import Prediction
from ..report import write_report
from .console import UNTRAINED, fail, note, stderr, warn
from .inputs import photos_in
from .options import (
    Aligned,
    ComputedWith,
    FacesCsv,
    Json,
    MaxFaces,
    MinFace,
    ModelFile,
    OnError,
    Quiet,
    Threads,
    Threshold,
    chosen,
)
from .outputs import NO_FACE, Csv, JsonLines, Output, Readable

EXAMPLES = """\b
Examples:
  blan predict photo.jpg
  blan predict photos/ --csv attributes.csv
  blan predict crops/ --aligned --csv attributes.csv
  blan predict a.jpg b.png --html page.html --model mine.safetensors
"""

REPORT_LIMIT = 200
"""Faces on one HTML page: more make a page that browsers are slow to open."""


def predict(
    photos_and_folders: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO", help="JPEG or PNG files, or folders of them, searched to the bottom."),
    ],
    model: ModelFile = None,
    aligned: Aligned = False,
    min_face: MinFace = 20,
    max_faces: MaxFaces = 0,
    json: Json = False,
    csv: FacesCsv = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML page with photos, bars and attention maps.")
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Print a table a face beside what --csv or --html write.")
    ] = False,
    threshold: Threshold = None,
    threads: Threads = 0,
    precision: ComputedWith = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="Aligned crops in one call.")] = 32,
    on_error: Annotated[OnError, typer.Option(help="What to do about a photo that cannot be read.")] = OnError.skip,
    quiet: Quiet = False,
) -> None:
    """Find the faces in photos and predict their attributes.

    Every face is found, aligned and predicted, the largest first; with --aligned photos are taken as they are. Without
    --json, --csv or --html a table a face is printed. The exit status is 1 if any photo could not be read; a photo
    without a face is no failure.
    """
    if sum((json, table, csv is not None and str(csv) == "-")) > 1:
        raise typer.BadParameter("--json, --table and --csv - all print to stdout: choose one of them")
    photos = photos_in(photos_and_folders)
    if not photos:
        named = ", ".join(map(str, photos_and_folders))
        raise typer.BadParameter(f"no JPEG or PNG file in {named}", param_hint="PHOTO")
    with load(model, threads=threads, precision=chosen(precision)) as network, contextlib.ExitStack() as stack:
        outputs = _outputs(network, json, csv, html, table, aligned, stack)
        if not network.trained and not any(isinstance(output, Readable) for output in outputs):
            warn(UNTRAINED)  # a table says it itself
        options = {"threshold": threshold, "attention": html is not None}
        if not aligned:
            options["detector"] = Detector(min_face=min_face, max_faces=max_faces, threads=network.threads)
        report: list[Prediction] = []
        failed = faces = done = 0
        try:
            for photo, predictions in _with_progress(network, photos, batch, aligned, options, quiet):
                done += 1
                if not predictions:
                    _report_no_face(photo, network, outputs, quiet)
                for prediction in predictions:
                    for output in outputs:
                        output.write(prediction)
                    if html is not None and len(report) < REPORT_LIMIT:
                        report.append(prediction)
                    faces += prediction.error is None
                error = predictions[0].error if predictions else None
                if error is not None:
                    failed += 1
                    fail(error)
                    if on_error is OnError.stop:
                        break
        except KeyboardInterrupt:
            note(f"interrupted after {done} of {len(photos)} photos; what is written so far is whole")
            raise typer.Exit(130) from None
        if html is not None:
            write_report(html, report, network)
    if not quiet:
        _note_files(csv, html, len(photos), faces)
    if failed:
        note(f"{failed} of {len(photos)} photos could not be read")
        raise typer.Exit(1)


def _report_no_face(photo: str, network: Model, outputs: list[Output], quiet: bool) -> None:
    for output in outputs:
        output.write_no_face(photo, network.trained)
    if not quiet and not any(isinstance(output, Readable) for output in outputs):
        note(f"{photo}: {NO_FACE}")


def _outputs(
    network: Model,
    json: bool,
    csv: Path | None,
    html: Path | None,
    table: bool,
    aligned: bool,
    stack: contextlib.ExitStack,
) -> list[Output]:
    outputs: list[Output] = []
    if json:
        outputs.append(JsonLines(sys.stdout))
    if csv is not None and str(csv) == "-":
        outputs.append(Csv(sys.stdout, network.names, aligned))
    elif csv is not None:
        outputs.append(Csv(stack.enter_context(_created(csv)), network.names, aligned))
    if table or (not outputs and html is None):
        outputs.append(Readable())
    return outputs


def _with_progress(
    network: Model, photos: list[str], batch: int, aligned: bool, options: dict[str, object], quiet: bool
) -> Iterator[tuple[str, list[Prediction]]]:
    """Each photo and its predictions, while a bar on stderr moves where there is more than one call to wait for."""
    columns = (
        TextColumn("predicting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = stderr()
    shown = not quiet and console.is_terminal and len(photos) > batch
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task("", total=len(photos), rate="")
        step = batch if aligned else 1
        stream = network.stream(photos, batch=step, aligned=aligned, on_error="keep", **options)
        for done, (photo, found) in enumerate(zip(photos, stream, strict=True), 1):
            yield photo, [found] if aligned else found
            # A batch comes all at once: moving the bar within it would make a speed of thousands a second.
            if done % step == 0 or done == len(photos):
                progress.update(task, completed=done)
                speed = progress.tasks[task].speed
                progress.update(task, rate=f"{speed:.0f} photos/s" if speed else "")


def _created(path: Path):  # noqa: ANN202
    try:
        return path.open("w", encoding="utf-8", newline="", errors="surrogateescape")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--csv") from error


def _note_files(csv: Path | None, html: Path | None, photos: int, faces: int) -> None:
    if csv is not None and str(csv) != "-":
        note(f"wrote {csv}: {faces} faces of {photos} photos")
    if html is not None:
        beyond = f" (the first {REPORT_LIMIT} of {faces} faces)" if faces > REPORT_LIMIT else ""
        note(f"wrote {html}{beyond}")

"""`blan evaluate`: how well a model does on labelled images."""

from __future__ import annotations

import csv as csv_format
import json as json_format
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from ..dataset import Dataset
from ..errors import InvalidArgumentError
from ..evaluation import Evaluation, Figures, tables
from ..model import load
from ..report import write_evaluation
from .console import UNTRAINED, note, stdout, warn
from .options import ComputedWith, ModelFile, OnError, OnUnreadableImage, Quiet, Threads, chosen
from .progress import progress_over

EXAMPLES = """\b
Examples:
  blan evaluate celeba/ --model mine.safetensors --html page.html
  blan evaluate faces.csv --group Male --group Male,Young --json
"""


class Split(str, Enum):
    """Part of a data set."""

    all = "all"
    train = "train"
    validation = "validation"
    test = "test"


class Published(str, Enum):
    """Which column of the paper's Table 7."""

    celeba = "celeba"
    lfwa = "lfwa"
    none = "none"


_PUBLISHED = {Published.celeba: "CelebA", Published.lfwa: "LFWA", Published.none: None}


def evaluate(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CelebA's or LFWA's folder, or a CSV file with a path column.")
    ],
    model: ModelFile = None,
    split: Annotated[
        Split | None, typer.Option(help="Part of the data; without it the test part, or all where there are no parts.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also give rates by an attribute or a column of the data, or by two, as Male,Young; may be repeated.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole report as one JSON object.")] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a CSV file, a row an attribute; - for stdout.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML page with charts beside the paper's figures.")
    ] = None,
    published: Annotated[
        Published, typer.Option(help="Whose figures of the paper's Table 7 the page shows.")
    ] = Published.celeba,
    resamples: Annotated[
        int, typer.Option(metavar="N", min=0, max=100_000, help="Of the groups' 95 % intervals; 0 = no intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the resampling.")] = 0,
    threads: Threads = 0,
    precision: ComputedWith = None,
    on_error: OnUnreadableImage = OnError.stop,
    quiet: Quiet = False,
) -> None:
    """Measure a model on labelled images.

    Without --json, --csv or --html a table is printed. The exit status is 1 if an image could not be read.
    """
    if json and csv is not None and str(csv) == "-":
        raise typer.BadParameter("--json and --csv - both print to stdout")
    images, part = opened(data, split, Split.test)
    training = _training_part(data, part)
    if not quiet:
        note(f"{len(images)} images of {data} ({part.value})")
    with load(model, threads=threads, precision=chosen(precision)) as network:
        if not network.trained:
            warn(UNTRAINED)
        with progress_over("evaluating", len(images), quiet) as advance:
            found = network.evaluate(
                images,
                groups=group or (),
                training=training,
                resamples=resamples,
                seed=seed,
                on_unreadable="skip" if on_error is OnError.skip else "raise",
                on_progress=advance,
            )
    _deliver(found, json, csv, html, published)
    if not quiet:
        for file in (csv, html):
            if file is not None and str(file) != "-":
                note(f"wrote {file}")
    for image in found.unreadable:
        note(image.message)
    if found.unreadable:
        note(f"{len(found.unreadable)} of {len(images)} images could not be read")
        raise typer.Exit(1)


def opened(path: Path, split: Split | None, usual: Split) -> tuple[Dataset, Split]:
    """The part that was asked for, else the usual one, else all of data without parts."""
    if split is not None:
        return Dataset.open(path, split=split.value), split
    try:
        return Dataset.open(path, split=usual.value), usual
    except InvalidArgumentError:
        return Dataset.open(path), Split.all


def _training_part(path: Path, part: Split) -> Dataset | None:
    """The data that a model of this part would be trained on, whose usual answers are a baseline."""
    if part not in (Split.validation, Split.test):
        return None
    try:
        return Dataset.open(path, split="train")
    except InvalidArgumentError:
        return None


def _deliver(found: Evaluation, json: bool, csv: Path | None, html: Path | None, published: Published) -> None:
    if json:
        typer.echo(json_format.dumps(found.to_dict(), indent=1))
    if csv is not None and str(csv) == "-":
        _write_csv(sys.stdout, found)
    elif csv is not None:
        try:
            with csv.open("w", encoding="utf-8", newline="") as file:
                _write_csv(file, found)
        except OSError as error:
            raise typer.BadParameter(f"{csv}: {error.strerror}", param_hint="--csv") from error
    if html is not None:
        write_evaluation(html, found, published=_PUBLISHED[published])
    if not json and csv is None and html is None:
        console = stdout()
        console.print(tables.attributes(found, console.width))
        for rates in found.groups:
            console.print()
            console.print(tables.groups(rates, console.width))


def _write_csv(file: TextIO, found: Evaluation) -> None:
    """A row an attribute: support, threshold, figures, accuracy of each level. A figure that is not there is blank."""

    def cell(value: float) -> str:
        return "" if value != value else f"{value:.6f}"

    writer = csv_format.writer(file, lineterminator="\n")
    counts = ("positives", "negatives", "unknown")
    writer.writerow(["attribute", *counts, "threshold", *Figures.names(), *found.levels.names])
    for index, name in enumerate(found.names):
        figures = (cell(getattr(found.figures, key)[index]) for key in Figures.names())
        levels = map(cell, found.levels.attributes[:, index])
        support = (getattr(found, key)[index] for key in counts)
        writer.writerow([name, *support, cell(found.thresholds[index]), *figures, *levels])

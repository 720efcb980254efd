"""`blan calibrate`: thresholds and temperatures fitted on validation data."""

from __future__ import annotations

import json as json_format
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..evaluation import Calibration
from ..evaluation import calibrate as fit
from .console import note, stdout
from .evaluate import Split, opened
from .options import OnError, OnUnreadableImage, Quiet, Threads
from .progress import progress_over

EXAMPLES = """\b
Examples:
  blan calibrate celeba/ --model mine.safetensors --out calibrated.safetensors
  blan calibrate faces.csv --model mine.safetensors --out mine.safetensors --objective f1
"""


class Target(str, Enum):
    """What thresholds are to do best."""

    accuracy = "accuracy"
    balanced_accuracy = "balanced-accuracy"
    f1 = "f1"


def calibrate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="CelebA's or LFWA's folder, or a CSV file: images that were not trained on."
        ),
    ],
    model: Annotated[Path, typer.Option(metavar="FILE", help="The model file.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; may be the model's own.")],
    split: Annotated[
        Split | None,
        typer.Option(help="Part of the data; without it the validation part, or all where there are no parts."),
    ] = None,
    objective: Annotated[Target, typer.Option(help="What thresholds are to do best.")] = Target.accuracy,
    thresholds: Annotated[bool, typer.Option(help="Fit thresholds.")] = True,
    temperatures: Annotated[bool, typer.Option(help="Fit temperatures.")] = True,
    minimum_labels: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="With fewer present or absent labels an attribute is not fitted."),
    ] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print what was fitted as one JSON object.")] = False,
    threads: Threads = 0,
    on_error: OnUnreadableImage = OnError.stop,
    quiet: Quiet = False,
) -> None:
    """Fit each attribute's threshold and temperature on validation data and store them in a copy of the model.

    The exit status is 1 if an image could not be read.
    """
    images, part = opened(data, split, Split.validation)
    if not quiet:
        note(f"{len(images)} images of {data} ({part.value})")
    with progress_over("calibrating", len(images), quiet) as advance:
        fitted = fit(
            model,
            images,
            out,
            thresholds=thresholds,
            temperatures=temperatures,
            objective=objective.value,
            minimum_labels=minimum_labels,
            threads=threads,
            on_unreadable="skip" if on_error is OnError.skip else "raise",
            on_progress=advance,
        )
    if json:
        pairs = zip(fitted.thresholds.tolist(), fitted.temperatures.tolist(), strict=True)
        rows = {
            name: {"threshold": threshold, "temperature": temperature}
            for name, (threshold, temperature) in zip(fitted.names, pairs, strict=True)
        }
        typer.echo(json_format.dumps({"model": fitted.path, "attributes": rows}, indent=1))
    else:
        stdout().print(_table(fitted))
    if not quiet:
        note(f"wrote {out}")
    for image in fitted.unreadable:
        note(image.message)
    if fitted.unreadable:
        note(f"{len(fitted.unreadable)} of {len(images)} images could not be read")
        raise typer.Exit(1)


def _table(fitted: Calibration) -> Table:
    table = Table(title="fitted", title_justify="left", box=None, pad_edge=False)
    table.add_column("attribute")
    table.add_column("threshold", justify="right")
    table.add_column("temperature", justify="right")
    for name, threshold, temperature in zip(fitted.names, fitted.thresholds, fitted.temperatures, strict=True):
        table.add_row(escape(name), f"{threshold:.3f}", f"{temperature:.3f}")
    return table

"""`blan quantize`: a model in reduced precision."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .. import quantization
from ..dataset import Dataset
from .console import note
from .inputs import photos_in
from .options import Quiet, Threads
from .progress import progress_over

EXAMPLES = """\b
Examples:
  blan quantize mine.safetensors small.safetensors --calibrate celeba/
  blan quantize mine.safetensors small.safetensors --calibrate crops/ --images 200
  blan quantize mine.safetensors half.safetensors --precision bf16
"""


class Quantized(str, Enum):
    """What weights are stored in."""

    int8 = "int8"
    bf16 = "bf16"


def quantize(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The model file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; may be the model's own.")],
    precision: Annotated[
        Quantized, typer.Option(help="What weights are stored in and multiplied as.")
    ] = Quantized.int8,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="IMAGES",
            help="For int8: face crops like those to come, as files, a folder, or a data set with a training part "
            "(CelebA's folder or a CSV file); may be repeated.",
        ),
    ] = None,
    images: Annotated[int, typer.Option(metavar="N", min=1, help="So many of them, evenly spread.")] = 100,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Copy a model with its weights in 8-bit integers or bfloat16, to be computed with in that precision.

    The copy is smaller, and faster where the CPU has the instructions (see blan info). Measure what it costs with blan
    evaluate.
    """
    chosen: list[str] = []
    if precision is Quantized.int8:
        chosen = _spread(_images(calibrate or []), images)
        if not chosen:
            raise typer.BadParameter("int8 needs images to calibrate with", param_hint="--calibrate")
    with progress_over("preparing", len(chosen), quiet or not chosen) as advance:
        quantization.quantize(
            model,
            out,
            precision=precision.value,
            calibration=chosen,
            threads=threads,
            on_progress=advance,
        )
    if not quiet:
        before, after = model.stat().st_size, out.stat().st_size
        size = "" if model.samefile(out) else f" ({after / before:.0%} of {model.name}'s size)"
        note(f"wrote {out}: {precision.value}{size}")


def _images(paths: list[Path]) -> list[str]:
    """The images named: of a data set those to train with, so that none is tested on later."""
    found: list[str] = []
    for path in paths:
        if path.suffix == ".csv":
            found += Dataset.open(path).paths
        elif (path / "list_attr_celeba.txt").exists():
            found += Dataset.open(path, split="train").paths
        else:
            found += photos_in([path])
    return found


def _spread(paths: list[str], count: int) -> list[str]:
    if len(paths) <= count:
        return paths
    return [paths[index * len(paths) // count] for index in range(count)]

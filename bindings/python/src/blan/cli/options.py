"""Options that mean the same in several commands."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Precision(str, Enum):
    """What a model computes with."""

    f32 = "f32"
    bf16 = "bf16"
    int8 = "int8"


def chosen(precision: Precision | None) -> str | None:
    """What `blan.load` takes."""
    return None if precision is None else precision.value


class OnError(str, Enum):
    """What a photo that cannot be read does."""

    skip = "skip"
    stop = "stop"


ModelFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Model file; without it, the one that comes with the package.")
]
Aligned = Annotated[
    bool, typer.Option("--aligned", help="Each photo is one face framed like CelebA's aligned images: look for none.")
]
MinFace = Annotated[float, typer.Option(metavar="PIXELS", min=12, help="Side of the smallest face that is looked for.")]
MaxFaces = Annotated[int, typer.Option(metavar="N", min=0, help="Only the largest N faces of a photo; 0 = all.")]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        min=0,
        max=1,
        help="Probability from which an attribute counts as present, instead of the model's own.",
    ),
]
Threads = Annotated[int, typer.Option(metavar="N", min=0, max=1024, help="Threads to work on; 0 = all cores.")]
ComputedWith = Annotated[
    Precision | None, typer.Option(help="What to compute with; without it what the model asks for.")
]
OnUnreadableImage = Annotated[OnError, typer.Option(help="What to do about an image that cannot be read.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a face and line.")]
FacesCsv = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a CSV file, a row a face; - for stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no notes; errors are still printed.")]
"""Of commands with a progress bar."""
NoNotes = Annotated[bool, typer.Option("--quiet", "-q", help="No notes; errors are still printed.")]
"""Of commands without a progress bar."""
NoProgress = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors are still printed.")]
"""Of commands that train, with a display of their own."""

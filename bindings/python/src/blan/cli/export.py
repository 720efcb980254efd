"""`blan export`: a model in another program's format."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..bundled import default_model_path
from ..exporting import export_onnx
from ..exporting.onnx_file import OUTPUTS
from .console import note
from .options import NoNotes

EXAMPLES = """\b
Examples:
  blan export --onnx default blan.onnx
  blan export --onnx mine.safetensors mine.onnx --preprocessing --output embeddings
"""

Output = Enum("Output", {name: name for name in OUTPUTS}, type=str)  # type: ignore[misc]


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help='Model file; "default" is the one that comes with blan.')
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="Write ONNX; understood where OUT ends in .onnx.")] = False,
    preprocessing: Annotated[
        bool,
        typer.Option("--preprocessing", help="Take RGB images of any size (uint8); resize and normalise in the graph."),
    ] = False,
    output: Annotated[
        list[Output] | None,  # type: ignore[valid-type]
        typer.Option(
            metavar="NAME",
            help=f"Also hand this out: {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}; may be given again.",
        ),
    ] = None,
    license: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Terms of use for the metadata, instead of the model's own.")
    ] = None,
    quiet: NoNotes = False,
) -> None:
    """Write a model in another program's format: ONNX, opset 18, with a dynamic batch.

    The metadata hold the attributes' names, thresholds, input size, mean and std; docs/onnx.md tells more.
    """
    if not onnx and out.suffix.lower() != ".onnx":
        raise typer.BadParameter("say which format to write: --onnx", param_hint="--onnx")
    source = default_model_path() if model == "default" else model
    names = [choice.value for choice in output or ()]
    export_onnx(source, out, preprocessing=preprocessing, outputs=names, license=license)
    if not quiet:
        note(f"wrote {out}")

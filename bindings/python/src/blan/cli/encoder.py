"""`blan import-encoder`: a ResNet-34's weights into a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import creation
from .console import note


def import_encoder(
    encoder: Annotated[
        Path,
        typer.Argument(
            metavar="ENCODER",
            help="ResNet-34 state dict of torchvision or timm: .safetensors, or .pth (needs torch).",
        ),
    ],
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Model to take everything else from; of width 64 for a usual ResNet-34."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model file to write.")],
) -> None:
    """Write a model with the encoder of a ResNet-34."""
    creation.import_encoder(encoder, model, out)
    note(f"wrote {out}")

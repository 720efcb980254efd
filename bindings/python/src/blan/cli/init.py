"""`blan init`: a new, untrained model."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .. import creation
from ..errors import InvalidArgumentError
from .console import note


class Attention(str, Enum):
    """Order of channel and spatial attention."""

    channel_spatial = "channel-spatial"
    spatial_channel = "spatial-channel"
    parallel = "parallel"


def init(
    path: Annotated[Path, typer.Argument(metavar="MODEL", help="The model file to write (.safetensors).")],
    width: Annotated[
        int, typer.Option(metavar="N", help="Channels of the first level, a multiple of 4; 64 is the paper's.")
    ] = 64,
    input_size: Annotated[
        int, typer.Option(metavar="N", help="Height and width of the input in pixels, a multiple of 32 from 64.")
    ] = 256,
    variant: Annotated[
        int, typer.Option(metavar="N", help="1 to 6, the rows of the paper's Table 4; 6 is the full BLAN.")
    ] = 6,
    attention: Annotated[
        Attention, typer.Option(help="Order of channel and spatial attention.")
    ] = Attention.channel_spatial,
    attributes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Text file with one attribute name a line; without it, CelebA's forty."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the random weights.")] = 0,
) -> None:
    """Write a new, untrained model with seeded random weights.

    Its outputs mean nothing until it is trained.
    """
    names = None if attributes is None else _names_in(attributes)
    creation.init(
        path,
        width=width,
        input_size=input_size,
        variant=variant,
        attention=attention.value,
        attributes=names,
        seed=seed,
    )
    note(f"wrote {path} (untrained)")


def _names_in(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--attributes") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InvalidArgumentError(f"{path} holds no attribute name")
    return names

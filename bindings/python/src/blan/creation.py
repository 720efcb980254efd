"""Writing new model files."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from . import _structures
from ._arguments import path_bytes, strings, within
from ._library import check, library
from .errors import FileError, FormatError, InvalidArgumentError, UnsupportedError

AttentionOrder: TypeAlias = Literal["channel-spatial", "spatial-channel", "parallel"]
_ORDERS = {"channel-spatial": 0, "spatial-channel": 1, "parallel": 2}


def init(
    path: str | os.PathLike[str],
    *,
    width: int = 64,
    input_size: int = 256,
    variant: int = 6,
    attention: AttentionOrder = "channel-spatial",
    attributes: Sequence[str] | None = None,
    seed: int = 0,
) -> None:
    """Writes a new, untrained model with seeded random weights (He normal). The file appears whole or not at all.

    Args:
        path: the safetensors file to write.
        width: channels of the first level, a multiple of 4; 64 is the paper's.
        input_size: height and width of the input in pixels, a multiple of 32 from 64.
        variant: 1 to 6, the rows of the paper's Table 4; 6 is the full BLAN.
        attention: order of channel and spatial attention.
        attributes: names in the order of the outputs; None = CelebA's forty.
        seed: of the random weights, 0 to 2**64 - 1; the same seed gives the same file.

    Raises:
        InvalidArgumentError: a value out of range.
        FileError: the file cannot be written.
    """
    options = network_options(width, input_size, variant, attention, attributes, seed)
    check(library().blan_model_init(path_bytes(path), ctypes.byref(options)))


def network_options(
    width: int,
    input_size: int,
    variant: int,
    attention: AttentionOrder,
    attributes: Sequence[str] | None,
    seed: int,
) -> _structures.NetworkOptions:
    """A blan_network_options; `init` explains the arguments. The struct keeps what it points at alive."""
    if attention not in _ORDERS:
        raise InvalidArgumentError(f"attention is {attention!r}; expected one of {', '.join(_ORDERS)}")
    return _structures.NetworkOptions(
        ctypes.sizeof(_structures.NetworkOptions),
        within("input_size", input_size, 64, 4096),
        within("width", width, 4, 1024),
        within("variant", variant, 1, 6),
        _ORDERS[attention],
        None if attributes is None else strings("attributes", attributes),
        0 if attributes is None else len(attributes),
        within("seed", seed, 0, 2**64 - 1),
    )


def import_encoder(encoder: str | os.PathLike[str], model: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Copies a model with its encoder's weights taken from a torchvision or timm ResNet-34 state dict.

    Args:
        encoder: the state dict: .safetensors, or .pth/.pt/.bin as torch.save writes them, which needs torch and
            safetensors and is read with ``weights_only=True``. Names may begin with ``encoder.``; ``fc.*`` is ignored.
        model: the model to take everything else from, of width 64 for a usual ResNet-34.
        out: the file to write; may be `model`.

    Raises:
        ShapeError: the widths differ.
        FormatError: the file holds no state dict, or tensors are missing.
        UnsupportedError: a .pth file where torch or safetensors is not installed.
    """
    with readable_encoder(encoder) as file:
        check(library().blan_import_encoder(path_bytes(file), path_bytes(model), path_bytes(out)))


@contextlib.contextmanager
def readable_encoder(encoder: str | os.PathLike[str]) -> Iterator[str | os.PathLike[str]]:
    """The state dict as safetensors: the file itself, or a converted copy of a torch checkpoint while in use."""
    if Path(encoder).suffix not in (".pth", ".pt", ".bin"):
        yield encoder
        return
    with tempfile.TemporaryDirectory(prefix="blan-") as folder:
        converted = os.path.join(folder, "encoder.safetensors")
        _convert(encoder, converted)
        yield converted


def _convert(checkpoint: str | os.PathLike[str], out: str) -> None:
    """Writes the tensors of a torch checkpoint as safetensors."""
    try:
        import torch
        from safetensors.numpy import save_file
    except ImportError as error:
        raise UnsupportedError(
            f"{checkpoint}: reading a torch checkpoint needs torch and safetensors ({error})"
        ) from error
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FileError(f"{checkpoint}: {error.strerror or error}") from error
    except Exception as error:
        raise FormatError(f"{checkpoint}: not a checkpoint that torch reads with weights_only=True: {error}") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise FormatError(f"{checkpoint}: expected a state dict (names to tensors), found {type(content).__name__}")
    tensors = {name: value.float().numpy() for name, value in state.items() if isinstance(value, torch.Tensor)}
    save_file(tensors, out)

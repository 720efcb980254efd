"""What the header of a checkpoint tells without loading it."""

from __future__ import annotations

import json
import os
from typing import Any

from ..errors import FileError, FormatError

_LONGEST = 100 << 20
"""Bytes of a header, at most: no other reader of safetensors takes more."""


def shapes_in(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a safetensors file."""
    return {name: tuple(entry["shape"]) for name, entry in _header(path).items() if name != "__metadata__"}


def is_at_end(path: str | os.PathLike[str]) -> bool:
    """Whether a run has come to its end with this checkpoint: after the last epoch, its validation included."""
    run = json.loads(_header(path)["__metadata__"]["blan.training"])["state"].get("run")
    return run is not None and run["position"]["epoch"] >= run["setting"]["epochs"]


def attribute_count(path: str | os.PathLike[str]) -> int:
    """How many attributes the network of a model or checkpoint has.

    Raises:
        FileError: the file cannot be read.
        FormatError: it is neither.
    """
    try:
        return len(json.loads(_header(path)["__metadata__"]["blan.config"])["attributes"])
    except OSError as error:
        raise FileError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{os.fspath(path)} is neither a model nor a checkpoint") from error


def _header(path: str | os.PathLike[str]) -> dict[str, Any]:
    with open(path, "rb") as file:
        return json.loads(file.read(min(int.from_bytes(file.read(8), "little"), _LONGEST)))

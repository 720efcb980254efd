"""The model that comes with the package."""

from __future__ import annotations

from pathlib import Path

from .errors import FileError

_PACKAGE = Path(__file__).resolve().parent


def default_model_path() -> str:
    """Path of the default model: the wheel's own copy, or the repository's for an editable installation.

    Raises:
        FileError: neither is there.
    """
    places = [folder / "models" / "default.safetensors" for folder in (_PACKAGE, _PACKAGE.parents[3])]
    for place in places:
        if place.exists():
            return str(place)
    raise FileError(f"the package holds no default model (looked at {places[0]}): name a model file")

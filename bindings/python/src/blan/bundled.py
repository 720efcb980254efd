"""The model and the face detector that come with the package."""

from __future__ import annotations

from pathlib import Path

from .errors import FileError

_PACKAGE = Path(__file__).resolve().parent


def default_model_path() -> str:
    """Path of the default model: the wheel's own copy, or the repository's for an editable installation.

    Raises:
        FileError: neither is there.
    """
    return _bundled("default.safetensors", "model")


def default_detector_path() -> str:
    """Path of the face detector, likewise."""
    return _bundled("mtcnn.safetensors", "face detector")


def _bundled(name: str, what: str) -> str:
    places = [folder / "models" / name for folder in (_PACKAGE, _PACKAGE.parents[3])]
    for place in places:
        if place.exists():
            return str(place)
    raise FileError(f"the package holds no {what} (looked at {places[0]}): name a file")

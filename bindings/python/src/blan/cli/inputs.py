"""The photos that a command line names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .._folders import photos_below


def photos_in(arguments: Iterable[Path]) -> list[str]:
    """The files named, and for each folder the JPEG and PNG files below it, by name.

    A file that is named is taken whatever its suffix, and whether or not it exists: reading it will tell.
    """
    photos: list[str] = []
    for argument in arguments:
        if argument.is_dir():
            photos.extend(photos_below(argument))
        else:
            photos.append(str(argument))
    return photos

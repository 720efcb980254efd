"""The photos that a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png")


def photos_in(arguments: Iterable[Path]) -> list[str]:
    """The files named, and for each folder the JPEG and PNG files below it, by name.

    A file that is named is taken whatever its suffix, and whether or not it exists: reading it will tell.
    """
    photos: list[str] = []
    for argument in arguments:
        if argument.is_dir():
            photos.extend(_photos_below(argument))
        else:
            photos.append(str(argument))
    return photos


def _photos_below(folder: Path) -> Iterable[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(parent, name)

"""The photos below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

SUFFIXES = (".jpg", ".jpeg", ".png")


def photos_below(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The JPEG and PNG files below a folder by their suffix, each folder's by name; hidden ones are passed over."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(parent, name)

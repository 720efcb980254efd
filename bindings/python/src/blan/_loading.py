"""Opening and owning a model of the C library."""

from __future__ import annotations

import ctypes
import os
import weakref

from . import _structures
from ._arguments import checked_threads, path_bytes
from ._library import check, library
from .precision import Precision, number_of


class Handle:
    """Owns a blan_model: freed when the last reference to this object goes, so never under a running call."""

    def __init__(self, model: str | os.PathLike[str] | bytes, threads: int, precision: Precision | None) -> None:
        options = _structures.LoadOptions(
            ctypes.sizeof(_structures.LoadOptions), checked_threads(threads), number_of(precision)
        )
        self.pointer = ctypes.c_void_p()
        tail = ctypes.byref(options), ctypes.byref(self.pointer)
        if isinstance(model, bytes):
            check(library().blan_model_load_memory(model, len(model), *tail))
        else:
            check(library().blan_model_load(path_bytes(model), *tail))
        weakref.finalize(self, library().blan_model_free, self.pointer).atexit = False


def stamp_of(path: str) -> tuple[int, ...] | None:
    """What tells a file from another one that has taken its place; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # the second for what is no path
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

"""Finding and loading libblan.so, once, at the first call that needs it."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from . import _signatures
from .errors import LibraryError, error_for

_PACKAGE = Path(__file__).resolve().parent
_ABI = "0.1"
"""Versions of the library that this package knows: those that begin like this."""


def _candidates() -> Iterator[str]:
    """Where the library may be: the wheel's own copy, then a repository's build, then the system's."""
    yield str(_PACKAGE / "libblan.so")
    repository = _PACKAGE.parents[3]
    if (repository / "include" / "blan.h").exists():
        yield str(repository / "build" / "lib" / "libblan.so")
    yield "libblan.so.0"


def _open() -> ctypes.CDLL:
    chosen = os.environ.get("BLAN_LIBRARY")
    candidates = [chosen] if chosen else list(_candidates())
    for candidate in candidates:
        if os.path.isabs(candidate) and not chosen and not os.path.exists(candidate):
            continue
        try:
            return ctypes.CDLL(candidate)
        except OSError as error:
            if candidate == candidates[-1] or os.path.exists(candidate):
                raise LibraryError(_remedy(candidates, error)) from error
    raise LibraryError(_remedy(candidates, None))


def _remedy(candidates: list[str], error: OSError | None) -> str:
    lines = [f"cannot load libblan.so: {error}", "looked for " + ", ".join(candidates)]
    if error is not None and "cannot open shared object file" in str(error) and "libblan" not in str(error):
        lines.append("install the libraries it needs: apt-get install libopenblas0-serial libturbojpeg0 libspng0")
    else:
        lines.append("build it with scripts/build.sh and reinstall the package, or set BLAN_LIBRARY to its path")
    return "; ".join(lines)


@functools.cache
def library() -> ctypes.CDLL:
    """The loaded library with its functions' types declared.

    Raises:
        LibraryError: it is not found, cannot be loaded, or is of another version.
    """
    loaded = _open()
    try:
        _signatures.declare(loaded)
    except AttributeError as error:
        raise LibraryError(f"{loaded._name} lacks a function of this package's version: {error}") from error
    version = loaded.blan_version().decode()
    if not version.startswith(_ABI + "."):
        raise LibraryError(f"{loaded._name} has version {version}; this package needs {_ABI}.*")
    return loaded


def check(status: int) -> None:
    """Raises the exception for a status that is not OK. Call it on the thread that made the failing call."""
    if status != 0:
        raise error_for(status, library().blan_last_error().decode("utf-8", "replace"))


def library_path() -> str:
    """The file that the library was loaded from."""
    return library()._name

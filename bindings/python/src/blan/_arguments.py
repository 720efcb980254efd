"""Numbers, paths and names on their way to C, where ctypes would cut off what does not fit without a word."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from .errors import InvalidArgumentError


def within(name: str, value: int, low: int, high: int) -> int:
    """The number itself; InvalidArgumentError where it is out of its range."""
    if not low <= value <= high:
        raise InvalidArgumentError(f"{name} is {value}; expected {low} to {high}")
    return value


def checked_threads(threads: int) -> int:
    """The number itself; InvalidArgumentError where it is out of range."""
    if not 0 <= threads <= 1024:
        raise InvalidArgumentError(f"threads is {threads}; expected 1 to 1024, or 0 for all cores")
    return threads


def path_bytes(path: str | bytes | os.PathLike[str]) -> bytes:
    """A path as C takes it; InvalidArgumentError for one that cannot be any file's."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{path!r} is not a path: {error}") from error
    if not encoded or b"\0" in encoded:
        raise InvalidArgumentError(f"{path!r} is not a path: it is empty or holds a NUL character")
    return encoded


def text_bytes(name: str, value: str) -> bytes:
    """A text as C takes it; InvalidArgumentError where it holds a NUL character."""
    if "\0" in value:
        raise InvalidArgumentError(f"{name} holds a NUL character: {value!r}")
    return value.encode()


def strings(name: str, values: Sequence[str]) -> ctypes.Array:
    """An array of C strings."""
    return (ctypes.c_char_p * len(values))(*(text_bytes(name, value) for value in values))

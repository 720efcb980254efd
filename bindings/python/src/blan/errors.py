"""One exception class per status of the C library, all of them `BlanError`.

Each also derives from the built-in exception that fits, so ``except OSError`` catches a missing file.
"""

from __future__ import annotations


class BlanError(Exception):
    """Something failed; the message names what (file, tensor, image, index) and what was expected.

    Attributes:
        status: the C library's `blan_status`, or 0 where the Python side found the fault.
    """

    status: int = 0


class LibraryError(BlanError, ImportError):
    """libblan.so cannot be found or loaded."""


class InvalidArgumentError(BlanError, ValueError):
    """An argument is out of range, or arguments contradict each other."""

    status = 1


class FileError(BlanError, OSError):
    """A file cannot be opened, read or written."""

    status = 2


class FormatError(BlanError, ValueError):
    """A file's content is damaged or not what it should be."""

    status = 3


class ShapeError(BlanError, ValueError):
    """A tensor or an image has the wrong dimensions."""

    status = 4


class UnsupportedError(BlanError, NotImplementedError):
    """The input is valid, but nothing this build or CPU can do."""

    status = 5


class OutOfMemoryError(BlanError, MemoryError):
    """Memory ran out."""

    status = 6


class CancelledError(BlanError):
    """A callback asked to stop; state is kept."""

    status = 7


class InternalError(BlanError, RuntimeError):
    """A defect of libblan: please report it with its text."""

    status = 8


_BY_STATUS: dict[int, type[BlanError]] = {
    error.status: error
    for error in (
        InvalidArgumentError,
        FileError,
        FormatError,
        ShapeError,
        UnsupportedError,
        OutOfMemoryError,
        CancelledError,
        InternalError,
    )
}


def error_for(status: int, message: str) -> BlanError:
    """The exception for a status that is not OK; an unknown number becomes `InternalError`."""
    return _BY_STATUS.get(status, InternalError)(message)

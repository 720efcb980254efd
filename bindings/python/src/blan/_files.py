"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from .errors import BlanError, FileError

TEMPORARY = ".blan-"
"""How the names of unfinished files begin; one stays where the process was killed."""


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A temporary file beside it, put in its place once the block is left without an error.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
        BlanError: what the block raises.
    """
    temporary = ""
    try:
        folder = os.path.dirname(os.path.abspath(path))
        with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=TEMPORARY, delete=False) as file:
            temporary = file.name
            yield file
        put_in_place(temporary, path)
        temporary = ""
    except BlanError:
        raise
    except OSError as error:
        raise FileError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error
    finally:
        if temporary:
            os.unlink(temporary)


def put_in_place(temporary: str, path: str | os.PathLike[str]) -> None:
    """Renames a finished file once it is on the disk: otherwise a loss of power could leave an empty one."""
    os.chmod(temporary, 0o644)
    _flush(temporary)
    os.replace(temporary, path)
    _flush(os.path.dirname(os.path.abspath(path)))


def _flush(path: str) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):  # what some file systems and folders say to it
            raise


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes text or bytes by `atomic_file`.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
    """
    with atomic_file(path) as file:
        file.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)

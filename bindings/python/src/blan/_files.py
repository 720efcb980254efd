"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from .errors import FileError


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A temporary file beside it, flushed to the disk and renamed once the block is left without an error.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
    """
    temporary = ""
    try:
        folder = os.path.dirname(os.path.abspath(path))
        with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=".blan-", delete=False) as file:
            temporary = file.name
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = ""
    except OSError as error:
        raise FileError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error
    finally:
        if temporary:
            os.unlink(temporary)


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes text or bytes by `atomic_file`.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
    """
    with atomic_file(path) as file:
        file.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)

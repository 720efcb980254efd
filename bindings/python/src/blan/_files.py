"""Small files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile

from .errors import FileError


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes text or bytes: a temporary file beside it, flushed to the disk, then renamed.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
    """
    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=".blan-", delete=False) as file:
            temporary = file.name
            file.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            os.unlink(temporary)
        raise FileError(f"cannot write {os.fspath(path)}: {error.strerror}") from error

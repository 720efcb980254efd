"""Packages that only some features need."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import UnsupportedError


def needed(module: str, extra: str, purpose: str) -> Any:
    """An optional module, imported at its first use.

    Args:
        module: its name.
        extra: the extra of this package that installs it.
        purpose: what needs it, as the beginning of a sentence.

    Raises:
        UnsupportedError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedError(f"{purpose} needs {module}: pip install 'blan[{extra}]' ({error})") from error

"""Where text goes: data to stdout, messages to stderr."""

from __future__ import annotations

import functools
import sys
from typing import TextIO

from rich.console import Console
from rich.markup import escape

UNTRAINED = "this model is NOT TRAINED: its weights are random and its probabilities mean nothing"


def stdout() -> Console:
    """A console on the current stdout; plain text when that is not a terminal."""
    return Console(file=sys.stdout, highlight=False)


def stderr() -> Console:
    """The console on the current stderr: one for all, so that messages come above a progress bar and not into it."""
    file = getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # a bar puts a stand-in there while it is shown
    return _console_on(file)


@functools.lru_cache(maxsize=1)
def _console_on(file: TextIO) -> Console:
    return Console(file=file, highlight=False)


def note(text: str) -> None:
    """A message that is no failure."""
    stderr().print(escape(text), soft_wrap=True)


def warn(text: str) -> None:
    """A message that the user should not overlook."""
    stderr().print(f"[yellow]warning:[/] {escape(text)}", soft_wrap=True)


def fail(error: object) -> None:
    """What went wrong."""
    stderr().print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)

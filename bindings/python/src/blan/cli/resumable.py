"""Calls that report how far they are, stop at Ctrl-C and go on where they stopped when they are made again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import typer

from ..errors import CancelledError
from .console import note
from .interrupts import Interrupts
from .progress import progress_over


@contextlib.contextmanager
def resumable(verb: str, quiet: bool) -> Iterator[Callable[[int, int], bool]]:
    """Shows a bar while the block runs; yields the `on_progress` of its call, which stops it after Ctrl-C.

    Raises:
        typer.Exit: the call stopped; it is said that the same command goes on.
    """
    stopping = Interrupts(lambda: None)
    try:
        with stopping, progress_over(verb, 0, quiet) as advance:

            def on_progress(done: int, count: int) -> bool:
                advance(done, count)
                return not stopping.requested

            yield on_progress
    except CancelledError as error:
        note(f"{error}; the same command goes on from there")
        raise typer.Exit(130) from None

"""A bar on stderr for calls that report how far they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .console import stderr


@contextlib.contextmanager
def progress_over(
    verb: str, count: int | None, quiet: bool, unit: str = "images"
) -> Iterator[Callable[[int, int | None], None]]:
    """Shows a bar while the block runs, where stderr is a terminal; yields what moves it.

    Args:
        verb: what is being done.
        count: how many there are; None where the first move tells, or nobody knows.
        quiet: show nothing.
        unit: what is counted.
    """
    columns = (
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = stderr()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=count, rate="")

        def advance(done: int, count: int | None) -> None:
            speed = progress.tasks[task].speed
            progress.update(task, total=count, completed=done, rate=f"{speed:.0f} {unit}/s" if speed else "")

        yield advance

"""What a training shows on stderr: a display that moves in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from ..training.progress import Progress
from .console import stderr

_PLAIN_SECONDS = 30.0
"""Between two lines about steps."""


class Display(Protocol):
    """Shows the progress of a training while it is entered."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, progress: Progress) -> None:
        """Takes one event."""

    def say(self, text: str) -> None:
        """Shows a message; may be called on any thread."""


def display(quiet: bool) -> Display:
    """What suits stderr."""
    if quiet:
        return Quiet()
    return Moving() if stderr().is_terminal else Plain()


def epoch_line(progress: Progress) -> str:
    """One line about an epoch that ended."""
    parts = [f"epoch {progress.epoch}/{progress.epochs}", f"loss {progress.losses.total:.3f}"]
    if progress.validation_count:
        mark = " *" if progress.best_epoch == progress.epoch else ""
        parts.append(f"validation {percent(progress.validation_accuracy)}{mark}")
        parts.append(f"validation loss {progress.validation_loss:.3f}")
        parts.append(f"best {percent(progress.best_accuracy)} in epoch {progress.best_epoch}")
    return "  ".join(parts)


def step_line(progress: Progress) -> str:
    """One line about a step: every loss term, rates and times."""
    losses = progress.losses
    return "  ".join(
        [
            f"epoch {progress.epoch}/{progress.epochs}",
            f"step {progress.step}/{progress.steps}",
            f"loss {losses.total:.3f}",
            "cls " + "/".join(f"{value:.2f}" for value in losses.cls),
            "lmim " + "/".join(f"{value:.2f}" for value in losses.lmim),
            f"rec {losses.rec:.3f}",
            f"sf {losses.sf:.2f}",
            f"lr {progress.learning_rate:.2e}",
            f"{progress.images_per_second:.1f} images/s",
            f"{duration(progress.seconds_left)} left",
        ]
    )


def percent(share: float) -> str:
    """A share as the paper prints accuracies."""
    return f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds; a dash for what is not known."""
    if not 0 <= seconds < 1e9:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Quiet:
    """Shows nothing but messages."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, progress: Progress) -> None:
        """Passes over everything but unreadable images."""
        if progress.event == "skipped":
            self.say(f"skipped: {progress.message}")

    def say(self, text: str) -> None:
        """Prints a line."""
        stderr().print(escape(text), soft_wrap=True)


class Silent(Quiet):
    """Shows nothing at all: another process does."""

    def say(self, text: str) -> None:
        """Passes over it."""


class Plain(Quiet):
    """A line for each epoch, and one about the steps now and then."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Prints a line where it is time for one."""
        super().show(progress)
        if progress.event == "epoch":
            self.say(epoch_line(progress))
        elif progress.event == "step" and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_SECONDS
            self.say(step_line(progress))


class Moving:
    """Two bars and the numbers of the last step, below a line for each epoch."""

    def __init__(self) -> None:
        self._console = stderr()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(36),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bars = Bars(*columns, console=self._console)
        self._run = self._bars.add_task("training", total=None, note="")
        self._validation = self._bars.add_task("validation", total=None, note="", visible=False)
        self._last: Progress | None = None
        self._live = Live(get_renderable=self._drawn, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Moving:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def show(self, progress: Progress) -> None:
        """Updates the bars and the numbers."""
        if progress.event == "step":
            self._last = progress
            note = f"epoch {progress.epoch}/{progress.epochs}  step {progress.step}/{progress.steps}"
            self._bars.update(self._run, total=progress.steps, completed=progress.step, note=note)
        elif progress.event == "validation":
            done, count = progress.validated, progress.validation_count
            self._bars.update(
                self._validation, total=count, completed=done, note=f"{done}/{count} images", visible=True
            )
        elif progress.event == "epoch":
            self._bars.update(self._validation, visible=False)
            self.say(epoch_line(progress))
        else:
            self.say(f"skipped: {progress.message}")

    def say(self, text: str) -> None:
        """Prints a line above the display."""
        self._console.print(escape(text), soft_wrap=True)

    def _drawn(self) -> RenderableType:
        return Group(self._bars, _numbers(self._last)) if self._last is not None else self._bars


def _numbers(progress: Progress) -> Table:
    losses = progress.losses
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("loss", f"[bold]{losses.total:.3f}[/]")
    table.add_row("cls 1-4", "  ".join(f"{value:.3f}" for value in losses.cls))
    table.add_row("lmim 1-4", "  ".join(f"{value:.3f}" for value in losses.lmim))
    table.add_row("rec, sf", f"{losses.rec:.4f}  {losses.sf:.3f}")
    table.add_row("learning rate", f"{progress.learning_rate:.3e}   gradient norm {progress.gradient_norm:.2f}")
    speed = f"{progress.images_per_second:.1f} images/s   {duration(progress.seconds_left)} left"
    table.add_row("speed", speed)
    if progress.best_epoch:
        table.add_row("best", f"{percent(progress.best_accuracy)} in epoch {progress.best_epoch}")
    return table

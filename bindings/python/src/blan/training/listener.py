"""The callback of a fit: passes progress on, and keeps what ended the run, an exception or Ctrl-C."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .._library import check
from ..errors import CancelledError
from .progress import History, OnProgress, Progress


class Interrupt:
    """Whether SIGINT came."""

    def __init__(self) -> None:
        self.requested = False

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        """The signal's handler."""
        self.requested = True


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Notes SIGINT instead of raising KeyboardInterrupt, which inside a C callback could be lost.

    Does nothing outside the main thread, or where the program has a handler of its own.
    """
    interrupt = Interrupt()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Listener:
    """The C callback of one `fit`: passes progress on, and keeps what ended the run.

    Args:
        on_progress: whom to pass it on to.
        interrupt: whether Ctrl-C came.
        shared: whether another process may have stopped the run.
    """

    def __init__(self, on_progress: OnProgress | None, interrupt: Interrupt, *, shared: bool = False) -> None:
        self._on_progress, self._interrupt, self._shared = on_progress, interrupt, shared
        self._history = History()
        self._error: BaseException | None = None

    def __call__(self, progress: ctypes.Array, _user: int | None) -> int:
        """Anything but 0 stops the run."""
        try:
            event = Progress.of(progress.contents)
            self._history.add(event)
            if self._on_progress is not None and self._on_progress(event) is False:
                self._history.cancelled = True
        except BaseException as error:
            self._error = error
        return int(self._history.cancelled or self._error is not None or self._interrupt.requested)

    def outcome(self, status: int) -> History:
        """Returns the history or raises what ended the run."""
        if self._error is not None:
            raise self._error
        try:
            check(status)
        except CancelledError:
            if not (self._history.cancelled or self._interrupt.requested or self._shared):
                raise
            self._history.cancelled = True  # perhaps by another process
        if self._interrupt.requested:  # also where it came too late to stop anything, as during the last save
            raise KeyboardInterrupt
        return self._history

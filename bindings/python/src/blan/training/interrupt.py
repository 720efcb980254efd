"""Ctrl-C while the library works: noted, and handed to the callback that can stop it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


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

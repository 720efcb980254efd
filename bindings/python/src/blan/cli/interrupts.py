"""Ctrl-C during a long call of the library: once to stop cleanly, twice to end at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Notes SIGINT and SIGTERM while it is entered; a second one ends the process at once.

    Python runs its own handlers only between calls of the library, and a step may take seconds. The signal's number
    therefore goes through a pipe to a thread, which acts on it immediately.

    Args:
        on_first: called on that thread when the first signal comes.

    Attributes:
        requested: whether a signal came.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self.requested = False
        self._on_first = on_first

    def __enter__(self) -> Interrupts:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._descriptor = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handlers = [signal.signal(number, _pass_over) for number in _SIGNALS]
        self._thread = threading.Thread(target=self._watch, name="interrupts", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in zip(_SIGNALS, self._handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._descriptor)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def _watch(self) -> None:
        while numbers := os.read(self._read, 1):
            if numbers[0] not in _SIGNALS:
                continue
            if self.requested:
                _end(128 + numbers[0])
            self.requested = True
            self._on_first()


def _pass_over(_number: int, _frame: object) -> None:
    """A handler for signals that another thread acts on."""


def _end(status: int) -> None:
    """Ends the process, with the terminal's cursor shown again."""
    if sys.stderr.isatty():
        os.write(2, b"\x1b[?25h\n")
    os._exit(status)

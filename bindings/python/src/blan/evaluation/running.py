"""What calls of the library that go through a data set have in common: progress, stopping, unreadable images."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, TypeAlias

from .. import _structures
from .._library import check
from ..dataset import Dataset
from ..errors import InvalidArgumentError
from .result import Unreadable

OnProgress: TypeAlias = Callable[[int, int], object]
"""Told how many images of how many are done; False stops the call with CancelledError."""

OnUnreadable: TypeAlias = Literal["raise", "skip"]

Data: TypeAlias = "Dataset | str | os.PathLike[str]"


class Watch:
    """The callbacks of one call. An exception in Python's part of them, Ctrl-C too, stops the call and is raised."""

    def __init__(self, data: Dataset, on_progress: OnProgress | None) -> None:
        self.unreadable: list[Unreadable] = []
        self._failure: BaseException | None = None

        def progress(done: int, count: int, _user: int | None) -> int:
            try:
                return int(on_progress is not None and on_progress(done, count) is False)
            except BaseException as error:
                self._failure = error
                return 1

        def note(_user: int | None, index: int, _status: int, message: bytes) -> None:
            self.unreadable.append(Unreadable(index, data.paths[index], message.decode("utf-8", "replace")))

        self.on_progress = _structures.EvaluateProgress(progress)
        self.on_error = _structures.ItemError(note)

    def check(self, status: int) -> None:
        """Raises what the callbacks raised, or what the call failed with."""
        if self._failure is not None:
            raise self._failure
        check(status)


def opened(data: Data) -> Dataset:
    """The data set, or all of what lies at a path."""
    return data if isinstance(data, Dataset) else Dataset.open(data)


def skips(on_unreadable: OnUnreadable) -> bool:
    """The option as the library takes it."""
    if on_unreadable not in ("raise", "skip"):
        raise InvalidArgumentError(f'on_unreadable is {on_unreadable!r}; expected "raise" or "skip"')
    return on_unreadable == "skip"

"""Logs for TensorBoard, through its own writer: no other framework is needed."""

from __future__ import annotations

import os
from types import TracebackType

from ..errors import UnsupportedError
from .progress import Progress


class Board:
    """Writes the losses, the learning rate and the validation of a run.

    A resumed run writes the steps after its checkpoint again; their numbers are the same.

    Args:
        folder: of the event files.

    Raises:
        UnsupportedError: tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise UnsupportedError(
                f"logging for TensorBoard needs its package: pip install 'blan[tensorboard]' ({error})"
            ) from error
        self._writer = Writer(os.fspath(folder))

    def add(self, progress: Progress) -> None:
        """Logs a step or an epoch."""
        if progress.event == "step":
            values = {f"loss/{name}": value for name, value in progress.losses.terms().items()}
            values |= {"rate/learning_rate": progress.learning_rate, "rate/gradient_norm": progress.gradient_norm}
            values["speed/images_per_second"] = progress.images_per_second
        elif progress.event == "epoch":
            values = {f"epoch/{name}": value for name, value in progress.losses.terms().items()}
            if progress.validation_count:
                values["validation/loss"] = progress.validation_loss
                values["validation/accuracy"] = progress.validation_accuracy
        else:
            return
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, progress.step)

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

"""What a training run reports: the losses of a batch, where it stands, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .. import _training_structures as _structures

Event: TypeAlias = Literal["step", "validation", "epoch", "skipped"]
_EVENTS: tuple[Event, ...] = ("step", "validation", "epoch", "skipped")


@dataclass(frozen=True)
class Losses:
    """The terms of Eq. 8, means over the batch, unweighted but for `total`. A term that the variant lacks is 0.

    Attributes:
        cls: l_CLS of the classifiers AC_1..AC_4.
        lmim: l_LMIM of the levels 1..4.
        rec: l_REC.
        sf: l_SF.
        total: sum of cls + alpha lmim, plus beta rec, plus gamma sf.
    """

    cls: tuple[float, float, float, float]
    lmim: tuple[float, float, float, float]
    rec: float
    sf: float
    total: float

    @classmethod
    def of(cls, losses: _structures.Losses) -> Losses:
        """A copy of a blan_losses."""
        return cls(tuple(losses.cls), tuple(losses.lmim), losses.rec, losses.sf, losses.total)

    def terms(self) -> dict[str, float]:
        """Every number by its name in logs: ``cls1``..``cls4``, ``lmim1``..``lmim4``, ``rec``, ``sf``, ``total``."""
        numbered = {f"cls{level}": value for level, value in enumerate(self.cls, 1)}
        numbered |= {f"lmim{level}": value for level, value in enumerate(self.lmim, 1)}
        return numbered | {"rec": self.rec, "sf": self.sf, "total": self.total}


@dataclass(frozen=True)
class Progress:
    """Where `Trainer.fit` stands.

    Attributes:
        event: "step" (a batch is done), "validation" (some more images of the validation data are done), "epoch" (an
            epoch is done, its validation too) or "skipped" (an image could not be read: see `message`).
        epoch: from 1.
        epochs: of the whole run.
        step: batches done, over all epochs.
        steps: batches of the whole run.
        losses: "step": of the batch; "epoch": their means over the epoch.
        learning_rate: Adam's, of the step.
        gradient_norm: of the last optimiser step, before clipping.
        images_per_second: over the last steps.
        seconds_left: of the whole run, estimated.
        validation_loss: "epoch": l_SF on the validation data; NaN without any.
        validation_accuracy: "epoch": mean accuracy over the attributes, 0 to 1; NaN without validation data.
        best_accuracy: so far; NaN before the first validation.
        best_epoch: 0 before the first validation.
        validated: "validation": images done.
        validation_count: images of the validation data.
        skipped: images that could not be read so far.
        message: "skipped": which image and why; else "".
    """

    event: Event
    epoch: int
    epochs: int
    step: int
    steps: int
    losses: Losses
    learning_rate: float
    gradient_norm: float
    images_per_second: float
    seconds_left: float
    validation_loss: float
    validation_accuracy: float
    best_accuracy: float
    best_epoch: int
    validated: int
    validation_count: int
    skipped: int
    message: str

    @classmethod
    def of(cls, progress: _structures.Progress) -> Progress:
        """A copy of a blan_progress."""
        names = (name for name, *_ in _structures.Progress._fields_ if name != "struct_size")
        values = {name: getattr(progress, name) for name in names}
        values["event"] = _EVENTS[progress.event]
        values["losses"] = Losses.of(progress.losses)
        values["message"] = (progress.message or b"").decode("utf-8", "replace")
        return cls(**values)


OnProgress: TypeAlias = Callable[[Progress], object]
"""Called on the thread that called `Trainer.fit`; returning False stops the run."""


@dataclass
class History:
    """What a run came to.

    Attributes:
        epochs: the `Progress` of each epoch that ended in this call, in order.
        cancelled: True when the callback stopped the run.
        steps: the losses of each step of this call, in order.
    """

    epochs: list[Progress] = field(default_factory=list)
    steps: list[Losses] = field(default_factory=list)
    cancelled: bool = False

    @property
    def best_epoch(self) -> int:
        """The epoch with the best validation accuracy; 0 without validation data."""
        return self.epochs[-1].best_epoch if self.epochs else 0

    @property
    def best_accuracy(self) -> float:
        """Its mean accuracy over the attributes, 0 to 1; NaN without validation data."""
        return self.epochs[-1].best_accuracy if self.epochs else float("nan")

    def add(self, progress: Progress) -> None:
        """Notes a step or an epoch; other events are passed over."""
        if progress.event == "step":
            self.steps.append(progress.losses)
        elif progress.event == "epoch":
            self.epochs.append(progress)

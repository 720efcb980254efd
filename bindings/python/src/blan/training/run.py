"""A run in a folder: settings, logs, checkpoints, the exported model and a report; it can always be gone on with."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .._files import write_atomically
from .._library import library
from ..errors import FileError, InvalidArgumentError
from ..model import load
from ..report.training import training_page
from ..system import system
from . import config, page
from .board import Board
from .checkpoint import is_at_end
from .data import balanced_weights, open_parts
from .log import EPOCH_COLUMNS, STEP_COLUMNS, Log, read_rows, row_of
from .processes import Processes, from_first, together
from .progress import History, OnProgress, Progress
from .settings import FIELDS, Settings, merged, resolve
from .trainer import Trainer

SETTINGS, STEPS, EPOCHS, RESULT = "train.toml", "steps.csv", "epochs.csv", "result.json"
LAST, BEST, MODEL = "last.safetensors", "best.safetensors", "model.safetensors"
BOARD, REPORT = "tensorboard", "report.html"
_PATHS = ("data", "validation", "start", "encoder")


@dataclass(frozen=True)
class Result:
    """What a run came to; result.json holds the same.

    Attributes:
        finished: False when it was stopped and can be gone on with.
        epochs: that have ended.
        best_epoch: the one whose weights were exported; 0 without validation data, where the last ones were.
        best_accuracy: its mean validation accuracy, 0 to 1; None without validation data.
    """

    finished: bool
    epochs: int
    best_epoch: int
    best_accuracy: float | None


class Run:
    """A folder that holds a run, locked against other processes while the object is open.

    Args:
        folder: made where it is missing.
        given: settings by name, as `resolve` takes them, over those of the folder or the defaults.
        resume: go on with the run in the folder, or begin where there is none; otherwise a run there is an error.
        defaults: of a new run, where they differ from those of `Settings`.
        processes: those that train together: each makes a `Run` of its own, and the first one writes; None = one.

    Raises:
        InvalidArgumentError: the folder holds a run and `resume` is False, another process works in it, a setting is
            out of range, or one that decides the result differs from that of the run.

    Attributes:
        folder: that of the run.
        settings: those in force.
        parts: the data.
        notes: what makes a resumed run differ from an uninterrupted one, if anything.
        history: of the last call of `train`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        given: Mapping[str, Any],
        *,
        resume: bool = False,
        defaults: Mapping[str, Any] = MappingProxyType({}),
        processes: Processes | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self._processes = processes
        self._lock = contextlib.ExitStack()
        try:
            self._exists, self.settings = from_first(processes, lambda: self._begun(given, resume, defaults))
            self.history = History()
            self.parts = together(processes, lambda: open_parts(self.settings))
            self.notes = from_first(processes, self._recorded)
        except BaseException:
            self.close()
            raise

    def _begun(self, given: Mapping[str, Any], resume: bool, defaults: Mapping[str, Any]) -> tuple[bool, Settings]:
        """Locks the folder; whether it holds a run, and the settings."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot make {self.folder}: {error.strerror}") from error
        self._lock.enter_context(_locked(self.folder))
        exists = self._found(resume)
        settings = _absolute(self._resumed(given) if exists else _described(resolve(defaults, given)))
        if not settings.data:
            raise InvalidArgumentError("no data set is named")
        return exists, settings

    def _found(self, resume: bool) -> bool:
        """Whether the folder holds a run, which must then be wanted."""
        if self.path(SETTINGS).exists():
            if not resume:
                raise InvalidArgumentError(f"{self.folder} holds a run; go on with it (resume) or name another folder")
            return True
        for name in (LAST, BEST, RESULT):
            if self.path(name).exists():
                raise InvalidArgumentError(
                    f"{self.folder} holds {name} of a run, but not its {SETTINGS}; name another folder"
                )
        return False

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def result(self) -> Result | None:
        """How the run stands since it last ended or stopped; None before that."""
        if not self.path(RESULT).exists():
            return None
        return Result(**json.loads(self.path(RESULT).read_text(encoding="utf-8")))

    def train(self, on_progress: OnProgress | None = None) -> Result:
        """Trains until the end, or until the callback returns False; then exports the best weights so far.

        A finished run is not trained again.

        Raises:
            BlanError: what `Trainer.fit` raises; checkpoint and logs are kept.
        """
        standing = from_first(self._processes, self.result)
        if standing is not None and standing.finished:
            return standing
        with self._trainer() as trainer:
            if not from_first(self._processes, self._all_trained):
                self._fit(trainer, on_progress)
        return from_first(self._processes, self._ended)

    def _fit(self, trainer: Trainer, on_progress: OnProgress | None) -> None:
        if self._processes is not None and self._processes.rank > 0:
            self._fit_parts(trainer, on_progress)
            return
        with contextlib.ExitStack() as stack:
            steps = stack.enter_context(Log(self.path(STEPS), STEP_COLUMNS, "step"))
            epochs = stack.enter_context(Log(self.path(EPOCHS), EPOCH_COLUMNS, "epoch"))
            board = stack.enter_context(Board(self.path(BOARD))) if self.settings.tensorboard else None

            def listen(progress: Progress) -> object:
                if progress.event in ("step", "epoch"):
                    (steps if progress.event == "step" else epochs).add(row_of(progress))
                if board is not None:
                    board.add(progress)
                return True if on_progress is None else on_progress(progress)

            self._fit_parts(trainer, listen)

    def _fit_parts(self, trainer: Trainer, on_progress: OnProgress | None) -> None:
        self.history = trainer.fit(
            self.parts.train,
            self.parts.validation,
            checkpoints=self.folder,
            on_progress=on_progress,
            **self.settings.fit_options(),
        )

    def report(self) -> Path:
        """Evaluates the exported model on the validation part, if the run is finished, and writes report.html.

        Returns:
            The page.
        """
        path = self.path(REPORT)
        write_atomically(path, training_page(page.gathered(self)))
        return path

    def steps(self) -> list[dict[str, str]]:
        """The rows of steps.csv."""
        return read_rows(self.path(STEPS), STEP_COLUMNS)

    def epochs(self) -> list[dict[str, str]]:
        """The rows of epochs.csv."""
        return read_rows(self.path(EPOCHS), EPOCH_COLUMNS)

    def _all_trained(self) -> bool:
        """Whether the process was killed after the last epoch, but before it had written the result."""
        return self._exists and self.path(LAST).exists() and is_at_end(self.path(LAST))

    def close(self) -> None:
        """Lets other processes work in the folder."""
        self._lock.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _trainer(self) -> Trainer:
        last = self.path(LAST)
        if from_first(self._processes, lambda: self._exists and last.exists()):
            return Trainer.resume(
                last,
                threads=self.settings.threads,
                synchronised_batch_norm=self.settings.synchronised_batch_norm,
                comm=self._processes,
            )
        weights = balanced_weights(self.parts.train) if self.settings.balanced else None
        return Trainer(
            attributes=self.parts.train.attributes,
            positive_weights=weights,
            comm=self._processes,
            **self.settings.trainer_options(),
        )

    def _resumed(self, given: Mapping[str, Any]) -> Settings:
        """The folder's settings, with those given that change no result."""
        saved = resolve(config.read(self.path(SETTINGS)))
        wanted = dataclasses.asdict(_absolute(resolve(dataclasses.asdict(saved), given)))
        for name in merged(given):
            decisive = FIELDS[name].metadata["decisive"] and name not in _PATHS[:2]  # the data's hash is compared
            if decisive and wanted[name] != getattr(saved, name):
                raise InvalidArgumentError(
                    f"{self.folder} was begun with {name} = {getattr(saved, name)!r}, which cannot become "
                    f"{wanted[name]!r}: begin a run in another folder"
                )
        return Settings(**wanted)

    def _recorded(self) -> list[str]:
        """Writes settings and record, and compares the record with an earlier one."""
        runtime = system()
        record: dict[str, str | int] = {
            "version": runtime.version,
            "instruction_set": runtime.instruction_set,
            "threads": self.settings.threads or library().blan_default_threads(),
            "processes": 1 if self._processes is None else self._processes.size,
            "seed": self.settings.seed,
            "data_hash": self.parts.hash(),
            "train_images": len(self.parts.train),
            "validation_images": 0 if self.parts.validation is None else len(self.parts.validation),
        }
        notes = []
        if self._exists:
            earlier = config.read_record(self.path(SETTINGS))
            if earlier.get("data_hash") != record["data_hash"]:
                raise InvalidArgumentError(
                    f"{self.settings.data} is not what the run in {self.folder} began with: images or labels differ"
                )
            notes = [
                f"{name.replace('_', ' ')} is {record[name]}, but was {earlier.get(name)} when the run began: "
                "the weights may differ in their last digits from an uninterrupted run's"
                for name in ("version", "instruction_set", "processes")
                if earlier.get(name, 1 if name == "processes" else None) != record[name]
            ]
        config.write(self.path(SETTINGS), self.settings, record)
        return notes

    def _ended(self) -> Result:
        """Exports the best weights so far, and notes how the run stands."""
        if self.path(BEST).exists():
            with Trainer.resume(self.path(BEST), threads=self.settings.threads) as best:
                best.export(self.path(MODEL), self.settings.storage)  # type: ignore[arg-type]
        rows = self.epochs()
        best = float(rows[-1]["best_accuracy"]) if rows else math.nan
        result = Result(
            finished=not self.history.cancelled,
            epochs=len(rows),
            best_epoch=int(rows[-1]["best_epoch"]) if rows else 0,
            best_accuracy=best if math.isfinite(best) else None,
        )
        write_atomically(self.path(RESULT), json.dumps(asdict(result), indent=2) + "\n")
        return result


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidArgumentError(f"another process trains in {folder}") from None
        yield
    finally:
        os.close(descriptor)


def _described(settings: Settings) -> Settings:
    """The settings with the network of the model that is fine-tuned, which alone decides it."""
    if not settings.start:
        return settings
    with load(settings.start, threads=1) as model:
        config = model.config
    names = ("width", "input_size", "variant", "attention")
    return dataclasses.replace(settings, **{name: config[name] for name in names if name in config})


def _absolute(settings: Settings) -> Settings:
    """The settings with paths that hold from any working folder."""
    paths = {name: getattr(settings, name) for name in _PATHS}
    return dataclasses.replace(settings, **{name: os.path.abspath(path) for name, path in paths.items() if path})

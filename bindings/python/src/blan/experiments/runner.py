"""Trains and tests the cells of an experiment, each once: what is finished is read, what was broken off goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from .._files import write_atomically
from ..dataset import Dataset
from ..training.data import limited
from ..training.evaluating import evaluated
from ..training.run import MODEL, Result, Run
from ..training.settings import FIELDS, Settings, resolve
from .protocol import Cell, Place, Plan
from .table import Table, tabulated

Train: TypeAlias = Callable[[Run], Result]
"""Trains a run to its end, or until it is interrupted."""


class Experiment:
    """The cells of one table in a folder that several experiments may share.

    Args:
        name: of the experiment, such as "table4".
        plan: the data and settings.
        folder: for ``cells/`` and the tables.

    Attributes:
        cells: those of the table.
    """

    def __init__(self, name: str, plan: Plan, folder: str | os.PathLike[str]) -> None:
        self.name, self.plan = name, plan
        self.folder = Path(folder)
        self.cells = plan.cells(name)

    def run(self, train: Train, tell: Callable[[int, Cell], None]) -> bool:
        """Runs what is not yet finished.

        Args:
            train: called with each run.
            tell: called before a cell is trained, with its place and itself.

        Returns:
            False when `train` was interrupted.
        """
        for index, cell in enumerate(self.cells):
            if cell.missing or self.accuracy(cell) is not None:
                continue
            tell(index, cell)
            if not self._run(cell, train):
                return False
        return True

    def report(self, cell: Cell) -> dict[str, Any] | None:
        """The evaluation of a finished cell."""
        path = self._test_file(cell)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def accuracy(self, cell: Cell) -> float | None:
        """Accuracy of a finished cell in per cent."""
        report = None if cell.missing else self.report(cell)
        return None if report is None else 100 * report["mean"]["accuracy"]

    def table(self) -> Table:
        """The table as it stands."""
        return tabulated(self)

    def write(self) -> list[Path]:
        """Writes the table as Markdown, CSV and JSON; returns the files."""
        table = self.table()
        details = [
            {
                "labels": list(cell.labels),
                "paper": cell.paper,
                "accuracy": self.accuracy(cell),
                "not_run": cell.missing,
                "settings": asdict(self.settings(cell)),
                "folder": "" if cell.missing else str(self.path(cell).relative_to(self.folder)),
            }
            for cell in self.cells
        ]
        contents = {
            ".md": table.markdown(),
            ".csv": table.csv(),
            ".json": json.dumps({"experiment": self.name, "notes": table.notes, "cells": details}, indent=2) + "\n",
        }
        files = [self.folder / (self.name + ending) for ending in contents]
        for file, content in zip(files, contents.values(), strict=True):
            write_atomically(file, content)
        return files

    def settings(self, cell: Cell) -> Settings:
        """All settings of a cell's training."""
        return resolve(cell.settings)

    def path(self, cell: Cell) -> Path:
        """The folder of a cell's training: trainings that are the same share it."""
        settings = self.settings(cell)
        decisive = {name: getattr(settings, name) for name, option in FIELDS.items() if option.metadata["decisive"]}
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:10]
        return self.folder / "cells" / f"variant{settings.variant}-{settings.attention}-{digest}"

    def _run(self, cell: Cell, train: Train) -> bool:
        path = self.path(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Run(path, cell.settings, resume=True) as run:
            if not train(run).finished:
                return False
            data = limited(_opened(cell.test, run.parts.train.attributes), run.settings.limit)
            report = evaluated(run.path(MODEL), data, run.parts.train, threads=run.settings.threads)
        write_atomically(self._test_file(cell), json.dumps(report, indent=1) + "\n")
        return True

    def _test_file(self, cell: Cell) -> Path:
        place = cell.test
        digest = hashlib.sha256(f"{place.path}\0{place.protocol}\0{place.split}".encode()).hexdigest()[:10]
        return self.path(cell) / f"test-{place.name.lower()}-{digest}.json"


def _opened(place: Place, attributes: tuple[str, ...]) -> Dataset:
    options: Mapping[str, Any] = {"split": place.split, "lfwa_protocol": place.protocol}
    return Dataset.open(place.path, attributes=attributes, **options)

"""An experiment's table beside the paper's figures."""

from __future__ import annotations

import csv as csv_format
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..paper import figures
from ..training.settings import Settings
from .protocol import COMPARED, TITLES, Cell

if TYPE_CHECKING:
    from .runner import Experiment

_LEVELS = ("AC_1", "AC_2", "AC_3", "AC_4", "s_5", "fused")
_NO_NOTE = "-"


@dataclass(frozen=True)
class Table:
    """Rows of text, and what a reader must know about them.

    Attributes:
        title: what the paper calls it.
        columns: their headings.
        rows: their cells.
        notes: sentences.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]

    def markdown(self) -> str:
        """The table with its title and notes."""
        lines = [f"# {self.title}", "", _line(self.columns), _line(["---"] * len(self.columns))]
        lines += [_line(row) for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The rows alone."""
        text = io.StringIO()
        writer = csv_format.writer(text, lineterminator="\n")
        writer.writerows([self.columns, *self.rows])
        return text.getvalue()


def tabulated(experiment: Experiment) -> Table:
    """The table of an experiment as it stands."""
    rows = _levels(experiment) if experiment.name == "fig3" else [_row(experiment, cell) for cell in experiment.cells]
    columns = ("paper's best", *_LEVELS, "best here") if experiment.name == "fig3" else ("paper", "here", "note")
    return Table(TITLES[experiment.name], (*COMPARED[experiment.name], *columns), rows, _notes(experiment))


def _row(experiment: Experiment, cell: Cell) -> tuple[str, ...]:
    accuracy = experiment.accuracy(cell)
    note = f"not run: {cell.missing}" if cell.missing else "" if accuracy is not None else "not finished"
    return (*cell.labels, _number(cell.paper), _number(accuracy), note or _NO_NOTE)


def _levels(experiment: Experiment) -> list[tuple[str, ...]]:
    report = experiment.report(experiment.cells[0])
    if report is None:
        return []
    names = [attribute["name"] for attribute in report["attributes"]]
    of_level = dict(zip(report["levels"]["names"], report["levels"]["attributes"], strict=True))
    rows = []
    for attribute, best in figures()["fig3"].items():
        if attribute not in names:
            continue
        values = [of_level[level][names.index(attribute)] for level in _LEVELS]
        single = [value for value in values[:4] if value is not None]
        here = " ".join(level for level, value in zip(_LEVELS[:4], values, strict=False) if value == max(single))
        numbers = [_number(None if value is None else 100 * value) for value in values]
        rows.append((attribute, " or ".join(f"AC_{level}" for level in best), *numbers, here))
    means = [_number(None if value is None else 100 * value) for value in report["levels"]["mean"]]
    return [*rows, ("mean of all attributes", _NO_NOTE, *means, _NO_NOTE)]


def _notes(experiment: Experiment) -> list[str]:
    cells = [cell for cell in experiment.cells if not cell.missing]
    if not cells:
        return ["Nothing can be run with the data and files at hand."]
    settings = experiment.settings(cells[0])
    notes = [
        "Accuracies in per cent, means over the attributes of the test part; each model is that of the epoch with the "
        "best validation accuracy, tested once.",
        f"Where a data set has no validation part, {settings.validation_share:.0%} of its training part are set aside.",
        f"One training per row, seed {settings.seed}: differences of a few tenths may be chance.",
        *_differences(cells, settings),
    ]
    done = [report for report in map(experiment.report, cells) if report is not None]
    if done:
        majority = done[0]["mean"]["training_majority"]
        notes.append(f"Always answering what is more frequent scores {_number(100 * majority)} on the first test part.")
        notes.append(f"Tested on {', '.join(sorted({str(report['images']) for report in done}))} images.")
    if experiment.plan.partial_suppression:
        notes.append("Overfitting suppression (OS) is dropout and mirroring alone: no ImageNet weights.")
    return notes


def _differences(cells: list[Cell], settings: Settings) -> list[str]:
    """What differs from the paper's settings, where it states them."""
    paper: dict[str, Any] = figures()["settings"]
    differing = []
    for name in ("width", "batch", "learning_rate", "schedule", "final_rate", "gamma"):
        if getattr(settings, name) != paper[name]:
            differing.append(f"{name} {getattr(settings, name)} (paper: {paper[name]})")
    trained_on = {cell.settings["data"] for cell in cells}
    size = paper["input_size"][cells[0].test.name]
    if settings.input_size != size:
        differing.append(f"input_size {settings.input_size} (paper: {size})")
    names = ", ".join(sorted(os.path.basename(path) for path in trained_on))
    limit = f", at most {settings.limit} images of each part" if settings.limit else ""
    lines = [f"Data: {names}{limit}. {settings.epochs} epochs (the paper does not state how many)."]
    images = figures()["images"]
    lines.append(
        "The paper: CelebA with {train:,} images to train, {validation:,} to validate, {test:,} to test".format(
            **images["CelebA"]
        )
        + "; LFWA with {train:,} and {test:,}.".format(**images["LFWA"])
    )
    lines.append(
        "Settings that differ: " + ("; ".join(differing) if differing else "none of those that it states") + "."
    )
    return lines


def _number(value: float | None) -> str:
    return _NO_NOTE if value is None else f"{value:.2f}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"

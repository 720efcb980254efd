"""The forms in which predictions leave the command line. Each takes one prediction at a time."""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TextIO

from rich.markup import escape
from rich.table import Table

from ..prediction import Prediction
from .console import UNTRAINED, stdout


class Output(ABC):
    """Receives predictions in order."""

    @abstractmethod
    def write(self, prediction: Prediction) -> None:
        """Takes one prediction, failed or not."""


class JsonLines(Output):
    """One JSON object a line: `Prediction.to_dict`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, prediction: Prediction) -> None:
        """Writes a line."""
        print(json.dumps(prediction.to_dict(), ensure_ascii=False), file=self._file)


class Csv(Output):
    """A row per photo: path, status (ok or the error's class), trained, then a probability per attribute."""

    def __init__(self, file: TextIO, names: Sequence[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(["path", "status", "trained", *names])

    def write(self, prediction: Prediction) -> None:
        """Writes a row; a photo that could not be read has no probabilities."""
        head = [prediction.source, "ok", str(prediction.trained).lower()]
        if prediction.error is not None:
            head[1] = type(prediction.error).__name__
            self._writer.writerow([*head, *[""] * len(prediction.names)])
        else:
            self._writer.writerow([*head, *(f"{p:.6f}" for p in prediction.probabilities)])


class Readable(Output):
    """A table per photo: the attributes present first, a bar for each probability."""

    _BAR = 20

    def write(self, prediction: Prediction) -> None:
        """Prints the table; a failed photo was reported on stderr already."""
        if prediction.error is not None:
            return
        table = Table(
            title=escape(prediction.source), title_justify="left", title_style="bold", box=None, pad_edge=False
        )
        for column, justify in (("attribute", "left"), ("probability", "right"), ("", "left"), ("", "left")):
            table.add_column(column, justify=justify)  # type: ignore[arg-type]
        present = prediction.attributes
        for name, probability in prediction.ranked():
            filled = round(probability * self._BAR)
            bar = "[cyan]" + "█" * filled + "[/][dim]" + "·" * (self._BAR - filled) + "[/]"
            label = name.replace("_", " ")
            style = "bold" if name in present else "dim"
            table.add_row(label, f"{100 * probability:.1f} %", bar, "present" if name in present else "", style=style)
        console = stdout()
        console.print(table)
        if not prediction.trained:
            console.print(f"[yellow]{UNTRAINED}[/]", soft_wrap=True)
        console.print()

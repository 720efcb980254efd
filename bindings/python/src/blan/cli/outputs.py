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

NO_FACE = "no face found"


class Output(ABC):
    """Receives predictions in order."""

    @abstractmethod
    def write(self, prediction: Prediction) -> None:
        """Takes one prediction, failed or not."""

    @abstractmethod
    def write_no_face(self, source: str, trained: bool) -> None:
        """Takes a photo without a face."""


class JsonLines(Output):
    """One JSON object a line: `Prediction.to_dict`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, prediction: Prediction) -> None:
        """Writes a line."""
        self._print(prediction.to_dict())

    def write_no_face(self, source: str, trained: bool) -> None:
        """Writes a line whose face is null."""
        self._print({"source": source, "trained": trained, "face": None})

    def _print(self, content: dict[str, object]) -> None:
        print(json.dumps(content, ensure_ascii=False), file=self._file)


class Csv(Output):
    """A row per face: path, status (ok, no face, or the error's class), trained, then a probability per attribute.

    Where faces were looked for, the box and its score stand before the probabilities.
    """

    _BOX = ("x0", "y0", "x1", "y1", "score")

    def __init__(self, file: TextIO, names: Sequence[str], aligned: bool) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._box = () if aligned else self._BOX
        self._empty = [""] * (len(self._box) + len(names))
        self._writer.writerow(["path", "status", "trained", *self._box, *names])

    def write(self, prediction: Prediction) -> None:
        """Writes a row; a photo that could not be read has no numbers."""
        head = [prediction.source, "ok", str(prediction.trained).lower()]
        if prediction.error is not None:
            head[1] = type(prediction.error).__name__
            self._writer.writerow([*head, *self._empty])
            return
        face = prediction.face
        box = [] if face is None else [*(f"{side:.2f}" for side in face.box), f"{face.score:.6f}"]
        self._writer.writerow([*head, *box, *(f"{p:.6f}" for p in prediction.probabilities)])

    def write_no_face(self, source: str, trained: bool) -> None:
        """Writes a row without numbers."""
        self._writer.writerow([source, "no face", str(trained).lower(), *self._empty])


class Readable(Output):
    """A table per face: the attributes present first, a bar for each probability."""

    _BAR = 20

    def write_no_face(self, source: str, trained: bool) -> None:
        """Says so."""
        stdout().print(f"[bold]{escape(source)}[/]: {NO_FACE}\n", soft_wrap=True)

    def write(self, prediction: Prediction) -> None:
        """Prints the table; a failed photo was reported on stderr already."""
        if prediction.error is not None:
            return
        title = f"[bold]{escape(prediction.source)}[/]"
        if prediction.face is not None:
            title += f" [dim]face at {', '.join(f'{side:.0f}' for side in prediction.face.box)}[/]"
        table = Table(box=None, pad_edge=False)
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
        console.print(title, soft_wrap=True)
        console.print(table)
        if not prediction.trained:
            console.print(f"[yellow]{UNTRAINED}[/]", soft_wrap=True)
        console.print()

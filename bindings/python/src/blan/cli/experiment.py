"""`blan experiment`: the paper's tables, run here and printed beside the paper's figures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from ..experiments import NAMES, Cell, Experiment, Plan, Table
from ..training.run import Result, Run
from ..training.settings import FIELDS
from .console import note, stdout
from .live import display
from .options import NoProgress
from .setting_flags import with_presets, with_settings
from .train import fit, layered

EXAMPLES = """\b
Examples:
  blan experiment table4 --data celeba/ --out experiments --width 16 --input-size 128
  blan experiment table9 --data celeba/ --lfwa lfwa/ --out experiments --encoder resnet34.safetensors
"""

Name = Enum("Name", {name: name for name in NAMES}, type=str)

_COMPARED = ("variant", "attention", "alpha", "beta", "os", "dropout", "mirror")
"""What the tables themselves vary."""
_OTHERS = ("data", "part", "start", "validation", "attributes", "lfwa_protocol", "tensorboard", "freeze", "statistics")
_SETTINGS = [name for name in with_presets(FIELDS) if name not in _COMPARED + _OTHERS]


@with_settings(_SETTINGS)
def experiment(
    name: Annotated[Name, typer.Argument(help="The table or figure.")],  # type: ignore[valid-type]
    data: Annotated[str, typer.Option(help="CelebA, or another data set with training, validation and test parts.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the trainings and the tables; several experiments may share it.")
    ],
    given: Mapping[str, Any],
    lfwa: Annotated[
        str, typer.Option(help="LFWA, on which the paper made Tables 5, 6, 8 and 9.", show_default=False)
    ] = "",
    partial_os: Annotated[
        bool,
        typer.Option(
            "--partial-os", help="Overfitting suppression without an ImageNet encoder, where none is at hand."
        ),
    ] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings; flags win over it.")] = None,
    quiet: NoProgress = False,
) -> None:
    """Run one of the paper's experiments at any width, size and number of epochs.

    Each row is a training in a folder below --out. What is finished is not trained again: the same command goes on
    after Ctrl-C. The table is printed beside the paper's figures, and written as Markdown, CSV and JSON. Rows that need
    something that is not here are marked "not run", with the reason.

    Tables 5 and 6 use --data where LFWA is not given, and say so.
    """
    settings = {k: v for k, v in layered(config, given).items() if k not in _COMPARED + _OTHERS}
    if settings.get("encoder"):
        settings["encoder"] = os.path.abspath(settings["encoder"])
    run = Experiment(name.value, Plan(data, lfwa, settings, partial_os), out)  # type: ignore[attr-defined]
    out.mkdir(parents=True, exist_ok=True)

    def train(one: Run) -> Result:
        return fit(one, display(quiet))

    def tell(index: int, cell: Cell) -> None:
        if not quiet:
            note(f"row {index + 1} of {len(run.cells)}: {', '.join(cell.labels)}")

    whole = run.run(train, tell)
    files = run.write()
    _print(run.table())
    if not quiet:
        note(f"wrote {', '.join(map(str, files))}")
    if not whole:
        note("interrupted; the same command goes on")
        raise typer.Exit(130)


def _print(table: Table) -> None:
    console = stdout()
    drawn = RichTable(title=escape(table.title), title_justify="left", box=None, pad_edge=False)
    for column in table.columns:
        drawn.add_column(escape(column), overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(escape, row))
    console.print(drawn)
    for text in table.notes:
        console.print(escape(text), style="dim", soft_wrap=True)

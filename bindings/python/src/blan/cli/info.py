"""`blan info`: what runs underneath, and what a model is made of."""

from __future__ import annotations

import json as json_format
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ..model import Model, load
from ..system import system
from .console import UNTRAINED, stdout


def info(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL", help="Model file; without it, the one that comes with the package."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what runs underneath, and what a model is made of."""
    runtime = asdict(system()) | {"python": platform.python_version(), "platform": platform.platform()}
    with load(model) as network:
        if json:
            content = {"system": runtime, "model": _description(network)}
            typer.echo(json_format.dumps(content, indent=2))
            return
        console = stdout()
        console.print(_pairs("libblan", runtime))
        console.print()
        console.print(_pairs("model", _facts(network)))
        if not network.trained:
            console.print(f"[yellow]{UNTRAINED}[/]", soft_wrap=True)
        console.print()
        console.print(_cost_table(network))


def _pairs(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in values.items():
        text = ", ".join(value) if isinstance(value, tuple) else str(value)
        table.add_row(name.replace("_", " "), escape(text))
    return table


def _facts(network: Model) -> dict[str, Any]:
    config = network.config
    return {
        "file": network.path,
        "trained": "yes" if network.trained else "no",
        "input": f"{network.input_size} x {network.input_size}",
        "width": config.get("width"),
        "variant": config.get("variant"),
        "attention": config.get("attention"),
        "threads": network.threads,
        "precision": network.precision,
        f"{len(network.names)} attributes": ", ".join(network.names),
    }


def _cost_table(network: Model) -> Table:
    costs = network.costs()
    table = Table(
        title="cost of one image", title_justify="left", title_style="bold", box=None, show_footer=True, pad_edge=False
    )
    total_parameters = sum(row.parameters for row in costs)
    total_macs = sum(row.multiply_accumulates for row in costs)
    table.add_column("module", footer="total")
    table.add_column("parameters", justify="right", footer=f"{total_parameters:,}")
    table.add_column("MACs (million)", justify="right", footer=f"{total_macs / 1e6:,.1f}")
    for row in costs:
        table.add_row(row.module, f"{row.parameters:,}", f"{row.multiply_accumulates / 1e6:,.1f}")
    return table


def _description(network: Model) -> dict[str, Any]:
    return {
        "file": network.path,
        "trained": network.trained,
        "threads": network.threads,
        "precision": network.precision,
        "config": network.config,
        "costs": [asdict(row) for row in network.costs()],
    }

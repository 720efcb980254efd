"""The tables of an evaluation, for a terminal or as text."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from .groups import Gap, GroupRates, Interval
    from .result import Evaluation

WIDE = 112
"""Columns of text from which the tables show all figures."""

_COLUMNS = (
    ("accuracy", "accuracy"),
    ("majority", "majority"),
    ("balanced", "balanced_accuracy"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("AP", "average_precision"),
    ("ECE", "calibration_error"),
)
_RATES = (
    ("accuracy", "accuracy"),
    ("TPR", "true_positive_rate"),
    ("FPR", "false_positive_rate"),
    ("FNR", "false_negative_rate"),
    ("AP", "average_precision"),
    ("ECE", "calibration_error"),
)
_LEFT_OUT = {"precision", "recall", "false_negative_rate"}
"""Where there is no room for all."""


def percent(share: float) -> str:
    """A share from 0 to 1 in percent; a dash for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.2f}"


def plain_text(evaluation: Evaluation, width: int) -> str:
    """The attributes' table and the groups' after it, as plain text of so many columns."""
    text = io.StringIO()
    console = Console(file=text, width=width, no_color=True, highlight=False)
    console.print(attributes(evaluation, width))
    for rates in evaluation.groups:
        console.print(groups(rates, width))
    return text.getvalue()


def attributes(evaluation: Evaluation, width: int) -> Table:
    """A line for each attribute and one for the means, in so many columns of text; figures in percent."""
    columns = _fitting(_COLUMNS, width)
    table = Table(
        title=f"{evaluation.images} images, figures in %",
        title_justify="left",
        box=None,
        pad_edge=False,
        show_footer=True,
    )
    table.add_column("attribute", footer="mean", no_wrap=True)
    table.add_column("present", justify="right", no_wrap=True)
    for title, name in columns:
        table.add_column(title, justify="right", footer=percent(getattr(evaluation.mean, name)), no_wrap=True)
    for index, name in enumerate(evaluation.names):
        known = evaluation.positives[index] + evaluation.negatives[index]
        figures = (percent(getattr(evaluation.figures, key)[index]) for _, key in columns)
        table.add_row(escape(name), f"{evaluation.positives[index]}/{known}", *figures)
    return table


def groups(rates: GroupRates, width: int) -> Table:
    """A line for each group with the means over attributes, then the gaps; figures in percent."""
    columns = _fitting(_RATES, width)
    table = Table(
        title=f"by {escape(rates.name)}, means over attributes in %, 95 % intervals below",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("group")
    table.add_column("images", justify="right")
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for group in rates.groups:
        name = escape(group.name) + (" (too few)" if group.too_few else "")
        table.add_row(name, str(group.images), *(_interval(group.mean[key]) for _, key in columns))
    table.add_row("widest gap", "", *(_interval(rates.mean_gaps[key]) for _, key in columns), style="bold")
    return table


def _fitting(columns: tuple[tuple[str, str], ...], width: int) -> list[tuple[str, str]]:
    return [column for column in columns if width >= WIDE or column[1] not in _LEFT_OUT]


def _interval(figure: Interval | Gap) -> str:
    """The figure, and its interval in a line below."""
    if math.isnan(figure.low):
        return percent(figure.value)
    return f"{percent(figure.value)}\n{100 * figure.low:.1f}..{100 * figure.high:.1f}"

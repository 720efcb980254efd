"""The part of an evaluation's page about groups."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from . import charts
from .words import NOTHING, percent, spelled

if TYPE_CHECKING:
    from ..evaluation import Evaluation, Gap, GroupRates, Interval

_RATES = (
    ("accuracy", "accuracy"),
    ("true_positive_rate", "true positive rate"),
    ("false_positive_rate", "false positive rate"),
    ("false_negative_rate", "false negative rate"),
    ("average_precision", "average precision"),
    ("calibration_error", "calibration error"),
)

_WIDEST = 12
"""Attributes that the table of gaps shows."""


def section(rates: GroupRates, evaluation: Evaluation) -> str:
    """Chart of accuracies, table of means, and the attributes with the widest gaps."""
    settings = evaluation.settings
    return f"""<article><h2>Groups: {escape(spelled(rates.name))}</h2>
{_chart(rates)}
{_means(rates)}
{_gaps(rates)}
<p class="note">Rates in %, with their 95 % intervals. Means are over the {len(rates.comparable)} attributes with at
least {settings["few_labels"]} present and {settings["few_labels"]} absent labels in every group, that of accuracy over
all. Groups of fewer than {settings["few_images"]} images are marked and left out of gaps. Who was never labelled is not
in these figures: they say nothing of groups that the data do not name.</p></article>"""


def _chart(rates: GroupRates) -> str:
    means = [group.mean["accuracy"] for group in rates]
    series = charts.Series(
        "accuracy",
        [100 * mean.value for mean in means],
        low=[100 * mean.low for mean in means],
        high=[100 * mean.high for mean in means],
    )
    lowest = min((mean.value for mean in means if not math.isnan(mean.value)), default=0.0)
    start = max(0.0, 10 * math.floor(10 * lowest - 0.5))
    labels = [spelled(group.name) for group in rates]
    return charts.bars(
        f"Mean accuracy by {rates.name}", labels, [series], start=start, end=100, unit=" %", label_width=220
    )


def _means(rates: GroupRates) -> str:
    head = "".join(f"<th>{title}</th>" for _, title in _RATES)
    rows = []
    for group in rates:
        flag = ' <span class="flag">too few</span>' if group.too_few else ""
        cells = "".join(f"<td>{_interval(group.mean[key])}</td>" for key, _ in _RATES)
        rows.append(f"<tr><th>{escape(spelled(group.name))}{flag}</th><td>{group.images}</td>{cells}</tr>")
    gaps = "".join(f"<td>{_interval(rates.mean_gaps[key])}</td>" for key, _ in _RATES)
    return f"""<div class="wide"><table>
<thead><tr><th>group</th><th>images</th>{head}</tr></thead>
<tbody>{"".join(rows)}</tbody>
<tfoot><tr><th>widest gap</th><td></td>{gaps}</tr></tfoot>
</table></div>"""


def _gaps(rates: GroupRates) -> str:
    """The attributes whose present labels are found most unequally, and two more rates of them."""
    shown = ("true_positive_rate", "false_positive_rate", "accuracy")
    by_width = sorted(
        (name for name, gap in rates.gaps[shown[0]].items() if not math.isnan(gap.value)),
        key=lambda name: -rates.gaps[shown[0]][name].value,
    )
    if not by_width:
        return '<p class="none">No attribute has enough labels in two groups to be compared.</p>'
    titles = dict(_RATES)
    head = "".join(f"<th>gap of {titles[rate]}</th><th>highest, lowest</th>" for rate in shown)
    rows = []
    for name in by_width[:_WIDEST]:
        cells = "".join(
            f'<td>{_interval(rates.gaps[rate][name])}</td><td class="text">{_ends(rates.gaps[rate][name])}</td>'
            for rate in shown
        )
        rows.append(f"<tr><th>{escape(spelled(name))}</th>{cells}</tr>")
    title = f"The {len(rows)} attributes with the widest gaps" if len(by_width) > len(rows) else "Gaps of attributes"
    return f"""<h3>{title}</h3><div class="wide"><table>
<thead><tr><th>attribute</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>"""


def _ends(gap: Gap) -> str:
    if gap.highest is None or gap.lowest is None or gap.value == 0:
        return NOTHING
    return f"{escape(spelled(gap.highest))} &gt; {escape(spelled(gap.lowest))}"


def _interval(figure: Interval | Gap) -> str:
    if math.isnan(figure.low):
        return percent(figure.value, 1)
    return f"{percent(figure.value, 1)} <small>{percent(figure.low, 1)} to {percent(figure.high, 1)}</small>"

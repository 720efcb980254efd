"""The page about an evaluation: every attribute beside the paper, the levels as the paper's Fig. 3, the groups."""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .. import paper
from .._library import library
from . import charts, groups, page
from .words import percent, spelled

if TYPE_CHECKING:
    from ..evaluation import Evaluation

_UNTRAINED = (
    "This model is not trained: its weights are random numbers, so these figures say nothing of the network. "
    "The page only shows that everything works."
)
_SUMMARY = (
    ("accuracy", "accuracy", "share of right decisions, the paper's metric"),
    ("majority", "majority guess", "always the more frequent answer of these labels"),
    ("balanced_accuracy", "balanced accuracy", "present and absent labels weigh alike; 50 for any constant answer"),
    ("f1", "F1", "precision and recall of the present ones"),
    ("average_precision", "average precision", "how well probabilities rank, whatever the threshold"),
    ("calibration_error", "calibration error", "how far probabilities are from frequencies; less is better"),
)
_FIGURES = (
    ("accuracy", "accuracy"),
    ("majority", "majority"),
    ("balanced_accuracy", "balanced"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("f1", "F1"),
    ("average_precision", "AP"),
    ("calibration_error", "ECE"),
    ("brier", "Brier"),
)


def write_evaluation(
    path: str | os.PathLike[str], evaluation: Evaluation, *, published: paper.Published | None = "CelebA"
) -> None:
    """Writes a self-contained HTML page about an evaluation. The file appears whole or not at all.

    Args:
        path: the file to write.
        evaluation: of `Model.evaluate`.
        published: the data set whose figures in the paper's Table 7 stand beside those measured; None = neither's.

    Raises:
        FileError: the page cannot be written.
    """
    reference = None if published is None else paper.accuracy(evaluation.names, published)
    sections = [_summary(evaluation, reference), accuracies(evaluation, reference), levels(evaluation)]
    sections += [groups.section(rates, evaluation) for rates in evaluation.groups]
    sections.append(_figures(evaluation))
    if evaluation.unreadable:
        sections.append(_unreadable(evaluation))
    lead = (
        f"{evaluation.images:,} images of {escape(evaluation.source)} · model "
        f"{escape(os.path.basename(evaluation.model) or 'from memory')} · {len(evaluation.names)} attributes"
    )
    content = page.document(
        "Evaluation", lead, "\n".join(sections), _footer(evaluation), "" if evaluation.trained else _UNTRAINED
    )
    page.write(path, content)


def _summary(evaluation: Evaluation, reference: paper.PaperAccuracy | None) -> str:
    items = [(title, getattr(evaluation.mean, name), what) for name, title, what in _SUMMARY]
    if not np.isnan(evaluation.mean.training_majority):
        items.insert(2, ("training majority", evaluation.mean.training_majority, "the training data's usual answer"))
    if reference is not None:
        items.insert(1, (f"paper, {reference.data}", reference.mean, "Table 7, on the official test part"))
    cells = "".join(
        f'<li><b>{percent(value)}<span class="unit"> %</span></b> {escape(title)}<small>{escape(what)}</small></li>'
        for title, value, what in items
    )
    return f'<article><h2>Means over attributes</h2><ul class="summary">{cells}</ul></article>'


def accuracies(evaluation: Evaluation, reference: paper.PaperAccuracy | None) -> str:
    """The section about the accuracy of each attribute."""
    series = [charts.Series("this model", 100 * evaluation.accuracy)]
    if reference is not None and not np.isnan(reference.attributes).all():
        series.append(charts.Series(f"BLAN in the paper ({reference.data})", 100 * reference.attributes))
    series.append(charts.Series("majority guess", 100 * evaluation.majority, color="var(--series-rest)"))
    lowest = np.nanmin([np.nanmin(one.values, initial=100) for one in series])
    start = float(max(0, 10 * np.floor((lowest - 1e-9) / 10)))
    chart = charts.bars(
        "Accuracy of each attribute in percent",
        [spelled(name) for name in evaluation.names],
        series,
        start=start,
        end=100,
        unit=" %",
    )
    note = f"The axis begins at {start:g} %. " if start > 0 else ""
    if len(series) == 3:
        note += (
            "The paper's figures are those of its official test part: on other data they are a landmark, not a rival."
        )
    return f'<article><h2>Accuracy of each attribute</h2>{chart}<p class="note">{note}</p></article>'


def levels(evaluation: Evaluation) -> str:
    """The section about the classifiers, as the paper's Fig. 3."""
    levels = evaluation.levels

    def small(title: str, values: np.ndarray) -> str:
        # The mark goes to the best single classifier, as the paper discusses them.
        best = None if np.isnan(values[:4]).all() else int(np.nanargmax(values[:4]))
        return charts.columns(title, [name.replace("_", "") for name in levels.names], 100 * values, mark=best)

    shown = [name for name in paper.figures()["fig3"] if name in evaluation.names]
    others = [name for name in evaluation.names if name not in shown]
    column = {name: levels.attributes[:, index] for index, name in enumerate(evaluation.names)}
    first = [small("Mean", levels.mean)] + [small(spelled(name), column[name]) for name in shown]
    rest = "".join(small(spelled(name), column[name]) for name in others)
    more = f'<details><summary>{len(others)} more attributes</summary><div class="grid">{rest}</div></details>'
    return f"""<article><h2>Accuracy of each level <small>as the paper's Fig. 3</small></h2>
<div class="grid">{"".join(first)}</div>
{more if others else ""}
<p class="note">AC1 to AC4 are the classifiers from the finest to the coarsest features, s5 is the sum of their scores,
fused the final decision, in %; all decide at a probability of 0.5. The best single classifier is set off. Axes begin
near the lowest column.</p></article>"""


def _figures(evaluation: Evaluation) -> str:
    head = "".join(f"<th>{title}</th>" for _, title in _FIGURES)
    rows = []
    for index, name in enumerate(evaluation.names):
        cells = "".join(f"<td>{percent(getattr(evaluation.figures, key)[index])}</td>" for key, _ in _FIGURES)
        counts = "".join(f"<td>{getattr(evaluation, key)[index]}</td>" for key in ("positives", "negatives", "unknown"))
        rows.append(
            f"<tr><th>{escape(spelled(name))}</th>{counts}<td>{evaluation.thresholds[index]:.3f}</td>{cells}</tr>"
        )
    means = "".join(f"<td>{percent(getattr(evaluation.mean, key))}</td>" for key, _ in _FIGURES)
    return f"""<article><h2>All figures</h2><div class="wide"><table>
<thead><tr><th>attribute</th><th>present</th><th>absent</th><th>unknown</th><th>threshold</th>{head}</tr></thead>
<tbody>{"".join(rows)}</tbody>
<tfoot><tr><th>mean</th><td></td><td></td><td></td><td></td>{means}</tr></tfoot>
</table></div>
<p class="note">Shares in %. A dash: the labels do not suffice, or nothing was decided to be present. ECE is the
expected calibration error in {evaluation.settings["bins"]} bins, Brier the mean squared distance of probability and
label.</p>
</article>"""


def _unreadable(evaluation: Evaluation) -> str:
    items = "".join(f"<li>{escape(item.message)}</li>" for item in evaluation.unreadable[:50])
    return (
        f'<article class="failed"><h2>{len(evaluation.unreadable)} images could not be read</h2>'
        f"<ul>{items}</ul></article>"
    )


def _footer(evaluation: Evaluation) -> str:
    settings = evaluation.settings
    facts = [f"libblan {library().blan_version().decode()}", "network: BLAN, Pattern Recognition 2020"]
    if evaluation.groups:
        facts.insert(1, f"intervals from {settings['resamples']} resamples, seed {settings['seed']}")
    notes = (
        "Labels are annotators' impressions of a photo, not facts about a person; figures of these attributes are no "
        "ground to decide about people. Unknown labels are left out."
    )
    return f"<p>{notes}</p><p>{escape(' · '.join(facts))}</p>"

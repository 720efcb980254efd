"""The page about a training: curves, accuracies beside the paper's, predictions, settings."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import paper
from ..prediction import Prediction
from . import charts, page
from .evaluation import accuracies, levels
from .photo import embed
from .words import spelled

if TYPE_CHECKING:
    from ..evaluation import Evaluation

Rows = Sequence[Mapping[str, str]]

_POINTS = 300
"""Of a curve: steps beyond that are averaged."""

_TERMS = {
    "Classifiers and fusion": ("cls1", "cls2", "cls3", "cls4", "sf"),
    "Mutual information": ("lmim1", "lmim2", "lmim3", "lmim4"),
    "Reconstruction": ("rec",),
}
_TERM_NAMES = {f"cls{level}": f"AC_{level}" for level in range(1, 5)}
_TERM_NAMES |= {f"lmim{level}": f"level {level}" for level in range(1, 5)} | {"sf": "score fusion", "rec": "l_REC"}


@dataclass(frozen=True)
class Sample:
    """A photo with its labels and what the model says.

    Attributes:
        prediction: of the model.
        labels: 1, -1 or 0 for each attribute of the prediction.
    """

    prediction: Prediction
    labels: np.ndarray


@dataclass(frozen=True)
class Training:
    """What the page shows.

    Attributes:
        title: plain text.
        lead: plain text below it.
        steps: rows of steps.csv.
        epochs: rows of epochs.csv.
        settings: by name.
        record: what the run ran with.
        evaluation: of the exported model on the validation part; None without.
        samples: photos of the validation part.
    """

    title: str
    lead: str
    steps: Rows
    epochs: Rows
    settings: Mapping[str, Any]
    record: Mapping[str, Any]
    evaluation: Evaluation | None = None
    samples: Sequence[Sample] = field(default_factory=tuple)


def training_page(training: Training) -> str:
    """The whole page: HTML that loads nothing from elsewhere."""
    parts = [_curves(training.steps), _validation(training.epochs)]
    if training.evaluation is not None:
        reference = paper.accuracy(training.evaluation.names)
        parts += [accuracies(training.evaluation, reference), levels(training.evaluation)]
    parts += [_samples(training.samples), _settings(training.settings, training.record)]
    footer = (
        "<p>Accuracies are of the validation part, which also chose the epoch: those of a test part are a bit lower. "
        f"The paper's figures are of {escape(paper.figures()['source'])}, on the whole of CelebA.</p>"
    )
    return page.document(training.title, escape(training.lead), "\n".join(filter(None, parts)), footer)


def _article(title: str, body: str) -> str:
    return f"<article><h2>{escape(title)}</h2>{body}</article>"


def _curves(steps: Rows) -> str:
    if not steps:
        return ""
    columns = {name: _numbers(steps, name) for name in steps[0]}
    xs, mean = _averaged(columns["step"])
    drawn = [
        charts.lines(
            "Loss of each step",
            [charts.Line("total", xs, mean(columns["total"]))],
            x_label="step",
            y_label="total loss",
            logarithmic=max(columns["total"]) > 20 * min(columns["total"]) > 0,
        )
    ]
    for title, terms in _TERMS.items():
        curves = [charts.Line(_TERM_NAMES[term], xs, mean(columns[term])) for term in terms if any(columns[term])]
        if curves:
            chart = charts.lines(title, curves, x_label="step", y_label="loss", height=220)
            drawn.append(f"<h3>{escape(title)}</h3>{chart}")
    rate = [charts.Line("learning rate", xs, mean(columns["learning_rate"]))]
    rate_chart = charts.lines("Learning rate", rate, x_label="step", y_label="rate", height=160)
    return _article("Losses", "".join(drawn)) + _article("Learning rate", rate_chart)


def _validation(epochs: Rows) -> str:
    accuracy = [100 * value for value in _numbers(epochs, "validation_accuracy")]
    if not any(map(math.isfinite, accuracy)):
        return ""
    xs = _numbers(epochs, "epoch")
    best = int(epochs[-1]["best_epoch"])
    curve = [charts.Line("accuracy", xs, accuracy)]
    losses = [
        charts.Line("validation", xs, _numbers(epochs, "validation_loss")),
        charts.Line("training", xs, _numbers(epochs, "sf"), dashed=True),
    ]
    top = f"<p class='lead'>best: {100 * float(epochs[-1]['best_accuracy']):.2f} % in epoch {best}</p>"
    return _article(
        "Validation",
        top
        + charts.lines("Validation accuracy", curve, x_label="epoch", y_label="mean accuracy, %", height=220)
        + "<h3>Loss of the decision</h3>"
        + charts.lines("Loss of the decision", losses, x_label="epoch", y_label="l_SF", height=200),
    )


def _samples(samples: Sequence[Sample]) -> str:
    cards = "".join(_sample(sample) for sample in samples if sample.prediction.error is None)
    return _article("Predictions", f'<div class="samples">{cards}</div>') if cards else ""


def _sample(sample: Sample) -> str:
    prediction = sample.prediction
    present = prediction.attributes
    named = dict(zip(prediction.names, sample.labels.tolist(), strict=True))
    known = [name for name, label in named.items() if label]
    wrong = [name for name in known if (name in present) != (named[name] > 0)]
    found = [name for name in known if name not in wrong and named[name] > 0]
    missed = [name for name in wrong if named[name] > 0]
    invented = [name for name in wrong if named[name] < 0]
    file = escape(os.path.basename(prediction.source))
    lists = "".join(
        f'<dt class="{kind}">{title}</dt><dd>{escape(", ".join(map(spelled, items)))}</dd>'
        for title, kind, items in (("found", "right", found), ("missed", "wrong", missed), ("wrong", "wrong", invented))
        if items
    )
    return (
        f'<figure><img src="{embed(prediction.source).uri}" alt="{file}"><figcaption><b>{file}</b><br>'
        f"{len(known) - len(wrong)} of {len(known)} right<dl>{lists}</dl></figcaption></figure>"
    )


def _settings(settings: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    shown = {**{name: _shown(value) for name, value in settings.items()}, **record}
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in shown.items())
    return _article("Settings", f'<table class="facts">{rows}</table>')


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value == "" else str(value)


def _averaged(steps: Sequence[float]) -> tuple[list[float], Any]:
    """Places on the axis, and a function that averages a column likewise."""
    edges = np.linspace(0, len(steps), min(len(steps), _POINTS) + 1).astype(int)
    spans = list(itertools.pairwise(edges))

    def mean(values: Sequence[float]) -> list[float]:
        return [float(np.mean(values[low:high])) for low, high in spans]

    return mean(steps), mean


def _numbers(rows: Rows, name: str) -> list[float]:
    return [float(row[name]) for row in rows]

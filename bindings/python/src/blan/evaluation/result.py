"""What an evaluation found."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from .groups import GroupRates, number


class Unreadable(NamedTuple):
    """An image that could not be read and was skipped."""

    index: int
    path: str
    message: str


@dataclass(frozen=True, eq=False)
class Figures:
    """Figures of every attribute, or their means. NaN where the labels do not suffice.

    Attributes:
        accuracy: share of right decisions at the model's thresholds, the paper's metric.
        balanced_accuracy: mean of the accuracies on present and on absent labels.
        precision: share of the decisions "present" that are right.
        recall: share of the present labels that are found.
        f1: harmonic mean of the two.
        average_precision: area below the precision-recall curve.
        calibration_error: expected calibration error of the probabilities, in 15 bins.
        brier: mean squared distance of probability and label.
        majority: accuracy of always giving the more frequent answer of these labels.
        training_majority: accuracy of always giving the more frequent answer of the training labels.
    """

    accuracy: np.ndarray | float
    balanced_accuracy: np.ndarray | float
    precision: np.ndarray | float
    recall: np.ndarray | float
    f1: np.ndarray | float
    average_precision: np.ndarray | float
    calibration_error: np.ndarray | float
    brier: np.ndarray | float
    majority: np.ndarray | float
    training_majority: np.ndarray | float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the figures."""
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True, eq=False)
class Levels:
    """Accuracy of each classifier by itself, as the paper's Fig. 3, all at a probability of 0.5.

    Attributes:
        names: AC_1 to AC_4, s_5 (their sum) and fused.
        mean: 6, over attributes.
        attributes: 6xN.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    attributes: np.ndarray


class Evaluation:
    """What a model was measured to do on a data set.

    Attributes:
        names: the model's N attributes, in the order of all arrays.
        source: the data.
        model: the model's file; "" for one from memory.
        trained: False when the model's weights are random; nothing here means anything then.
        images: how many were measured.
        unreadable: those that could not be read and were skipped.
        thresholds: N floats: the probability from which an attribute counts as present.
        positives: N: present labels.
        negatives: N: absent labels.
        unknown: N: unknown labels, left out everywhere.
        mean: the means of the figures over the attributes that have them.
        figures: the figures of each attribute; also reached directly, as in `evaluation.accuracy`.
        levels: accuracy of each classifier by itself.
        groups: rates by group, one entry for each that was asked for.
        settings: bins, resamples, seed and limits of the computation.
        probabilities: a row per image of the data set, NaN for a skipped one.
        labels: a row per image of int8: 1 present, -1 absent, 0 unknown.
    """

    def __init__(
        self, report: dict[str, Any], probabilities: np.ndarray, labels: np.ndarray, *, model: str, trained: bool
    ) -> None:
        rows = report["attributes"]

        def column(name: str, dtype: type) -> np.ndarray:
            return np.array([number(row[name]) for row in rows], dtype=dtype)

        self._report = report
        self.names = tuple(row["name"] for row in rows)
        self.source: str = report["source"]
        self.model = model
        self.trained = trained
        self.images: int = report["images"]
        self.unreadable = tuple(Unreadable(**item) for item in report["unreadable"])
        self.thresholds = column("threshold", np.float32)
        self.positives, self.negatives, self.unknown = (
            column(name, np.int64) for name in ("positives", "negatives", "unknown")
        )
        self.mean = Figures(*(number(report["mean"][name]) for name in Figures.names()))
        self.figures = Figures(*(column(name, np.float64) for name in Figures.names()))
        levels = report["levels"]
        self.levels = Levels(
            tuple(levels["names"]),
            np.array(levels["mean"], dtype=np.float64),
            np.array(levels["attributes"], dtype=np.float64),
        )
        self.groups = tuple(map(GroupRates.from_report, report["groups"]))
        self.settings: dict[str, Any] = report["settings"]
        self.probabilities = probabilities
        self.labels = labels

    def __getattr__(self, name: str) -> np.ndarray:
        if name in Figures.names():
            return getattr(self.figures, name)
        raise AttributeError(f"an Evaluation has no attribute {name!r}")

    def __getitem__(self, name: str) -> dict[str, float]:
        """All figures of one attribute; KeyError for a name that the model does not know."""
        if name not in self.names:
            raise KeyError(name)
        index = self.names.index(name)
        counts = {key: int(getattr(self, key)[index]) for key in ("positives", "negatives", "unknown")}
        return counts | {key: float(getattr(self.figures, key)[index]) for key in Figures.names()}

    def to_dict(self) -> dict[str, Any]:
        """Everything but probabilities and labels as JSON can hold it, keyed as blan.h documents; None for no figure.

        `model` and `trained` say what was measured.
        """
        return {"model": self.model, "trained": self.trained} | copy.deepcopy(self._report)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Evaluation:
        """What `to_dict` gave, without probabilities and labels."""
        nothing = np.empty((0, len(content["attributes"])), dtype=np.float32)
        return cls(content, nothing, nothing.astype(np.int8), model=content["model"], trained=content["trained"])

    def table(self, width: int = 120) -> str:
        """The figures as plain text: a line for each attribute and the means, then the groups.

        Args:
            width: columns of text; in fewer than 112 precision, recall and the false negative rate are left out.
        """
        from .tables import plain_text  # loads rich, which a program that draws no table does without

        return plain_text(self, width)

    def __repr__(self) -> str:
        kind = "" if self.trained else " (UNTRAINED model)"
        return f"<Evaluation of {self.images} images of {self.source}: accuracy {self.mean.accuracy:.4f}{kind}>"

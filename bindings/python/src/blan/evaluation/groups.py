"""Rates by group: how alike a model serves different groups of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

RATES = (
    "accuracy",
    "true_positive_rate",
    "false_positive_rate",
    "false_negative_rate",
    "average_precision",
    "calibration_error",
)
"""What is compared between groups."""


class Interval(NamedTuple):
    """A figure with its 95 % bootstrap interval; NaN where the labels do not suffice or nothing was resampled."""

    value: float
    low: float
    high: float


class Gap(NamedTuple):
    """The distance between the two groups farthest apart; NaN and None where fewer than two groups compare.

    Attributes:
        value: largest minus smallest figure.
        low: lower end of the 95 % interval of the difference.
        high: upper end.
        highest: name of the group with the largest figure.
        lowest: name of the group with the smallest.
    """

    value: float
    low: float
    high: float
    highest: str | None
    lowest: str | None


@dataclass(frozen=True, eq=False)
class Group:
    """One group.

    Attributes:
        name: its values, such as "Male" or "not Male, Young".
        images: how many it has.
        too_few: fewer than 30: left out of gaps.
        mean: each rate's mean over attributes.
        positives: N, present labels of each attribute.
        negatives: N, absent labels.
        unsupported: N booleans: fewer than 10 present or absent labels, left out of gaps and of means.
        rates: each rate of every attribute: Nx3 floats, its value and the ends of its interval.
    """

    name: str
    images: int
    too_few: bool
    mean: dict[str, Interval]
    positives: np.ndarray
    negatives: np.ndarray
    unsupported: np.ndarray
    rates: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class GroupRates:
    """Rates of all groups of one attribute or column, or of two of them together.

    Attributes:
        by: the one or two names.
        groups: the groups.
        comparable: attributes with enough labels in every group that is not too few; means are over these (that of
            accuracy over all that have a label in every group).
        mean_gaps: the gap of each rate's mean.
        gaps: the gap of each rate for every attribute, by rate and attribute.
        widest: for each rate the attribute with the widest gap; None where none compares.
    """

    by: tuple[str, ...]
    groups: tuple[Group, ...]
    comparable: tuple[str, ...]
    mean_gaps: dict[str, Gap]
    gaps: dict[str, dict[str, Gap]]
    widest: dict[str, str | None]

    @property
    def name(self) -> str:
        """The names that sort, such as "Male x Young"."""
        return " x ".join(self.by)

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __getitem__(self, name: str) -> Group:
        """The group of a name; KeyError for another."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(name)

    @classmethod
    def from_report(cls, report: dict[str, Any]) -> GroupRates:
        """From the library's JSON."""
        gaps = report["gaps"]
        return cls(
            by=tuple(report["by"]),
            groups=tuple(map(_group, report["groups"])),
            comparable=tuple(report["comparable"]),
            mean_gaps={rate: _gap(gaps["mean"][rate]) for rate in RATES},
            gaps={rate: {row["name"]: _gap(row[rate]) for row in gaps["attributes"]} for rate in RATES},
            widest=gaps["widest"],
        )


def number(value: float | None) -> float:
    """A figure of the JSON: NaN for null."""
    return float("nan") if value is None else value


def _interval(figure: dict[str, float | None]) -> Interval:
    return Interval(number(figure["value"]), number(figure["low"]), number(figure["high"]))


def _gap(gap: dict[str, Any]) -> Gap:
    def name(values: list[str] | None) -> str | None:
        return None if values is None else ", ".join(values)

    return Gap(number(gap["value"]), number(gap["low"]), number(gap["high"]), name(gap["highest"]), name(gap["lowest"]))


def _group(report: dict[str, Any]) -> Group:
    cells = report["attributes"]
    return Group(
        name=", ".join(report["values"]),
        images=report["images"],
        too_few=report["too_few"],
        mean={rate: _interval(report["mean"][rate]) for rate in RATES},
        positives=np.array([cell["positives"] for cell in cells], dtype=np.int64),
        negatives=np.array([cell["negatives"] for cell in cells], dtype=np.int64),
        unsupported=np.array([cell["too_few"] for cell in cells], dtype=bool),
        rates={rate: np.array([_interval(cell[rate]) for cell in cells], dtype=np.float64) for rate in RATES},
    )

"""The paper's own figures, to stand beside those measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, TypeAlias

import numpy as np

Published: TypeAlias = Literal["CelebA", "LFWA"]


@dataclass(frozen=True, eq=False)
class PaperAccuracy:
    """A column of Table 7.

    Attributes:
        data: "CelebA" or "LFWA".
        mean: over the forty attributes, 0 to 1.
        attributes: N, for the names asked for; NaN for a name that the paper does not have.
    """

    data: str
    mean: float
    attributes: np.ndarray


def accuracy(names: Sequence[str], data: Published = "CelebA") -> PaperAccuracy:
    """What the paper reports for BLAN on the official test part of a data set."""
    table = json.loads(files(__package__).joinpath("table7.json").read_text(encoding="utf-8"))
    figures = np.array([table[data].get(name, np.nan) for name in names], dtype=np.float64)
    return PaperAccuracy(data, table["mean"][data] / 100, figures / 100)

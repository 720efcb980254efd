"""The paper's own figures, to stand beside those measured; paper.json holds them."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, TypeAlias

import numpy as np

Published: TypeAlias = Literal["CelebA", "LFWA"]


@functools.cache
def figures() -> dict[str, Any]:
    """All figures: ``table3`` to ``table10`` in per cent, ``fig3`` (the classifiers that predict an attribute best).

    Tables 5, 8 and 9 give each accuracy ``without`` and ``with`` overfitting suppression. Table 6 is by beta, then
    alpha. Fig. 3 is printed as columns without numbers; what the text says of it stands here.
    """
    return json.loads(files(__package__).joinpath("paper.json").read_text(encoding="utf-8"))


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
    table = figures()["table7"]
    column = np.array([table[name][data] if name in table else np.nan for name in names], dtype=np.float64)
    return PaperAccuracy(data, figures()["table3"]["BLAN with OS"][data] / 100, column / 100)

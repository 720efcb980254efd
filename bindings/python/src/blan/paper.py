"""The paper's figures, for tables and charts that stand beside them; paper.json holds them."""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import Any


@functools.cache
def figures() -> dict[str, Any]:
    """All figures: ``table3`` to ``table10`` in per cent, ``fig3`` (the classifiers that predict an attribute best).

    Tables 5, 8 and 9 give each accuracy ``without`` and ``with`` overfitting suppression. Table 6 is by beta, then
    alpha. Fig. 3 is printed as columns without numbers; what the text says of it stands here.
    """
    return json.loads(files(__package__).joinpath("paper.json").read_text(encoding="utf-8"))


def accuracies(data: str = "CelebA") -> dict[str, float]:
    """Table 7: accuracy of each attribute in per cent on "CelebA" or "LFWA"."""
    return {name: row[data] for name, row in figures()["table7"].items()}

"""How pages write names and numbers."""

from __future__ import annotations

import math

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""


def spelled(name: str) -> str:
    """An attribute's name as people write it."""
    return name.replace("_", " ")


def percent(share: float, digits: int = 2) -> str:
    """A share from 0 to 1 in percent, without the sign; a dash for NaN."""
    return NOTHING if math.isnan(share) else f"{100 * share:.{digits}f}"

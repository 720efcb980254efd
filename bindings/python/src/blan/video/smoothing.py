"""Averaging probabilities over time."""

from __future__ import annotations

import math

import numpy as np

_NEAREST = 1e-6
"""How near to 0 and 1 a probability counts: beyond, one frame would outweigh any number of others."""


class Smoother:
    """The mean of the log-odds that were seen, each weighted by exp(-age / time_constant).

    Unlike the usual recursion, which starts from the first value, it is not drawn towards what it saw first; and it
    depends on when values were seen, not on how many a second.

    Args:
        time_constant: seconds after which a value weighs 1/e; 0 = only the latest value.
    """

    def __init__(self, time_constant: float) -> None:
        self._time_constant = time_constant
        self._sum: np.ndarray | None = None
        self._weight = 0.0

    def __call__(self, probabilities: np.ndarray, elapsed: float) -> np.ndarray:
        """Takes new probabilities, `elapsed` seconds after the last ones, and gives their mean so far, 0 to 1."""
        p = np.clip(probabilities.astype(np.float64), _NEAREST, 1 - _NEAREST)
        log_odds = np.log(p / (1 - p))
        if self._sum is None or self._time_constant == 0:
            self._sum, self._weight = log_odds, 1.0
        else:
            kept = math.exp(-elapsed / self._time_constant)
            self._sum = kept * self._sum + log_odds
            self._weight = kept * self._weight + 1
        return (1 / (1 + np.exp(-self._sum / self._weight))).astype(np.float32)

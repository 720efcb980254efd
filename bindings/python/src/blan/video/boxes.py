"""Which box of one list is which of another: by how much they overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


def overlaps(first: Sequence[Box], second: Sequence[Box]) -> np.ndarray:
    """Intersection over union of every box of `first` with every box of `second`: a table of 0 to 1."""
    a = np.array(first, dtype=np.float64).reshape(-1, 1, 4)
    b = np.array(second, dtype=np.float64).reshape(1, -1, 4)
    shared = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return shared / np.maximum(areas - shared, 1e-9)


def match(first: Sequence[Box], second: Sequence[Box], minimum: float) -> list[tuple[int, int]]:
    """Pairs of places in the two lists, each used once: the largest overlap first, none below `minimum`."""
    table = overlaps(first, second)
    pairs = []
    while table.size and table.max() >= minimum:
        row, column = (int(place) for place in np.unravel_index(int(table.argmax()), table.shape))
        pairs.append((row, column))
        table[row, :] = table[:, column] = -1
    return pairs

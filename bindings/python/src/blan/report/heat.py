"""Spatial attention maps as pictures to lay over a face."""

from __future__ import annotations

import numpy as np

from . import png

_ANCHORS = np.array(
    [(20, 12, 60), (85, 15, 109), (158, 42, 99), (217, 73, 61), (248, 137, 20), (246, 215, 70)], dtype=np.float32
)
"""Colours from low to high attention: even steps in lightness, told apart by colour-blind readers too."""

_ENLARGED = 128
"""Side of the pictures in pixels: enough for the maps to look smooth."""

_OPACITY = (0.35, 0.78)
"""Of the lowest and the highest attention."""


def overlay(attention: np.ndarray) -> str:
    """A square map as the data URI of an RGBA picture, its own range stretched over the colours."""
    values = _enlarge(_stretch(attention), _ENLARGED)
    position = values * (len(_ANCHORS) - 1)
    low = np.minimum(position.astype(int), len(_ANCHORS) - 2)
    part = (position - low)[..., np.newaxis]
    color = _ANCHORS[low] * (1 - part) + _ANCHORS[low + 1] * part
    alpha = 255 * (_OPACITY[0] + (_OPACITY[1] - _OPACITY[0]) * values)
    return png.data_uri(png.encode(np.dstack([color, alpha]).round().astype(np.uint8)))


def legend() -> str:
    """The colours as a CSS gradient, from low to high."""
    stops = ", ".join(f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in _ANCHORS)
    return f"linear-gradient(90deg, {stops})"


def _stretch(attention: np.ndarray) -> np.ndarray:
    low, high = float(attention.min()), float(attention.max())
    if high - low < 1e-6:
        return np.zeros(attention.shape, dtype=np.float32)
    return (attention - low) / (high - low)


def _enlarge(values: np.ndarray, side: int) -> np.ndarray:
    """Bilinear, cell centres aligned."""
    count = values.shape[0]
    place = np.clip((np.arange(side) + 0.5) * count / side - 0.5, 0, count - 1)
    low = np.minimum(place.astype(int), max(count - 2, 0))
    high = np.minimum(low + 1, count - 1)
    part = (place - low).astype(np.float32)
    rows = values[low] * (1 - part[:, None]) + values[high] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, high] * part

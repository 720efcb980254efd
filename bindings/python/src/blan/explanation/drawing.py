"""Signed maps as pictures: what speaks for an attribute in red, what speaks against it in blue."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError

FOR = np.array((214, 47, 39), dtype=np.float32)
AGAINST = np.array((33, 102, 200), dtype=np.float32)
"""RGB of the two ends: told apart by colour-blind readers too."""

_OPACITY = 0.85
"""Of a map's strongest place."""


def overlay(picture: np.ndarray, values: np.ndarray, *, scale: float | None = None) -> np.ndarray:
    """Lays a signed map over a picture, which becomes grey.

    Args:
        picture: HxWx3 of uint8.
        values: a map of any size, stretched over the picture; above 0 becomes red, below 0 blue.
        scale: the magnitude that gets the full colour; None = the map's own largest.

    Returns:
        HxWx3 of uint8.

    Raises:
        ShapeError: one of the arrays has another shape.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or values.ndim != 2 or 0 in values.shape:
        raise ShapeError(
            f"the picture has shape {picture.shape}, the map {values.shape}; expected (H, W, 3) and (rows, columns)"
        )
    return blend(picture, enlarge(values, *picture.shape[:2]), strongest(values) if scale is None else scale)


def blend(picture: np.ndarray, values: np.ndarray, scale: float) -> np.ndarray:
    """`overlay` of a map that has the picture's size already; NaN leaves a pixel its own colour."""
    layer = colors(values, scale).astype(np.float32)
    grey = picture @ np.array((0.299, 0.587, 0.114), dtype=np.float32)
    alpha = layer[..., 3:] / 255
    mixed = grey[..., np.newaxis] * (1 - alpha) + layer[..., :3] * alpha
    return np.where(np.isnan(values)[..., np.newaxis], picture, mixed.round()).astype(np.uint8)


def colors(values: np.ndarray, scale: float) -> np.ndarray:
    """A map as RGBA of uint8: the sign is the colour, the magnitude the opacity."""
    strength = np.nan_to_num(np.clip(values / scale, -1, 1)) if scale > 0 else np.zeros(values.shape, np.float32)
    alpha = 255 * _OPACITY * np.abs(strength) ** 0.8
    color = np.where(strength[..., np.newaxis] < 0, AGAINST, FOR)
    return np.dstack([color, alpha]).round().astype(np.uint8)


def strongest(values: np.ndarray) -> float:
    """The largest magnitude of a map."""
    return float(np.abs(values).max())


def enlarge(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map at another size: bilinear, cell centres aligned."""
    rows = _blended(values, height)
    return _blended(rows.T, width).T


def _blended(values: np.ndarray, count: int) -> np.ndarray:
    """Rows, so many as asked for."""
    last = values.shape[0] - 1
    place = np.clip((np.arange(count) + 0.5) * values.shape[0] / count - 0.5, 0, last)
    low = np.minimum(place.astype(int), max(last - 1, 0))
    part = (place - low).astype(np.float32)[:, np.newaxis]
    return values[low] * (1 - part) + values[np.minimum(low + 1, last)] * part


def spread(cells: np.ndarray, patch: int, stride: int, size: int) -> np.ndarray:
    """An occlusion map at the size of the network's input: each pixel has the mean of the patches that cover it."""
    places = [min(i * stride, size - patch) for i in range(cells.shape[0])]
    covers = np.zeros((len(places), size), dtype=np.float32)
    for row, place in enumerate(places):
        covers[row, place : place + patch] = 1
    count = covers.sum(axis=0)
    return (covers.T @ cells @ covers) / np.outer(count, count)


def onto_photo(values: np.ndarray, frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map of the aligned frame at the places of a photo; NaN outside the frame.

    Args:
        values: rows x columns, one for each pixel of the frame.
        frame: 2x3, takes a point of the frame to the photo.
        height: of the photo.
        width: of the photo.
    """
    result = np.full((height, width), np.nan, dtype=np.float32)
    rows, columns = values.shape
    corners = np.array([(x, y, 1) for x in (-0.5, columns - 0.5) for y in (-0.5, rows - 0.5)]) @ frame.T
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)) + 1, (width, height)).astype(int)
    if left >= right or top >= bottom:
        return result
    x, y = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    inverse = np.linalg.inv(frame[:, :2])
    u, v = np.tensordot(inverse, np.stack([x - frame[0, 2], y - frame[1, 2]]), axes=1)
    inside = (u >= -0.5) & (u < columns - 0.5) & (v >= -0.5) & (v < rows - 0.5)
    nearest = values[np.clip(np.rint(v), 0, rows - 1).astype(int), np.clip(np.rint(u), 0, columns - 1).astype(int)]
    result[top:bottom, left:right] = np.where(inside, nearest, np.nan)
    return result

"""Following faces from one frame to the next by optical flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..detection import Face
from ._opencv import opencv

_GRID = 7
"""Points followed along each side of a face's box, beside its landmarks."""

_INNER = 0.8
"""Part of the box that the points lie in: its corners show the background, which moves otherwise."""

_AGREE = 0.5
"""Share of a face's points that must be found again, and move together, for the face to be followed."""

_RETURN = 0.02
"""How far from where it began a point may come back, as a share of the box's side, and no less than a pixel."""

_SCALE = 1.5
"""Largest change of size from one frame to the next."""


def follow(before: np.ndarray, after: np.ndarray, faces: Sequence[Face]) -> list[Face | None]:
    """Where faces of one frame are in the next.

    The landmarks and a grid of points in each box are followed by pyramidal Lucas-Kanade, forward and back again.
    Points that do not come back to where they began drop out; a similarity (shift, turn, scale), fitted to the others
    by RANSAC, moves the box and the landmarks.

    Args:
        before: HxW of uint8, grey.
        after: the next frame, of the same size.
        faces: in `before`.

    Returns:
        For each face where it is now, or None where it was lost: too few points came back or moved together, or the
        face has left the picture.
    """
    if not faces:
        return []
    cv2 = opencv()
    starts = [_points(face) for face in faces]
    begun = np.concatenate(starts).astype(np.float32).reshape(-1, 1, 2)
    ended, found, _ = cv2.calcOpticalFlowPyrLK(before, after, begun, None)
    returned, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, ended, None)
    distance = np.linalg.norm(returned - begun, axis=2).ravel()
    usable = (found.ravel() == 1) & (found_back.ravel() == 1)
    moved, first = [], 0
    for face, points in zip(faces, starts, strict=True):
        part = slice(first, first + len(points))
        first += len(points)
        kept = usable[part] & (distance[part] <= max(1.0, _RETURN * _side(face)))
        moved.append(_moved(face, begun[part, 0][kept], ended[part, 0][kept], len(points), after.shape))
    return moved


def _side(face: Face) -> float:
    left, top, right, bottom = face.box
    return max(right - left, bottom - top)


def _points(face: Face) -> np.ndarray:
    left, top, right, bottom = face.box
    steps = (np.arange(_GRID) / (_GRID - 1) - 0.5) * _INNER + 0.5
    x, y = np.meshgrid(left + steps * (right - left), top + steps * (bottom - top))
    return np.concatenate([face.landmarks, np.stack([x.ravel(), y.ravel()], axis=1)])


def _moved(face: Face, begun: np.ndarray, ended: np.ndarray, count: int, shape: tuple[int, ...]) -> Face | None:
    if len(begun) < _AGREE * count:
        return None
    # OpenCV's RANSAC draws by a seed of its own: the same frames give the same motion.
    similarity, together = opencv().estimateAffinePartial2D(
        begun, ended, ransacReprojThreshold=max(1.0, _RETURN * _side(face))
    )
    if similarity is None or together.sum() < _AGREE * count:
        return None
    scale = float(np.hypot(similarity[0, 0], similarity[1, 0]))
    if not 1 / _SCALE <= scale <= _SCALE:
        return None
    left, top, right, bottom = face.box
    x, y = similarity @ np.array([(left + right) / 2, (top + bottom) / 2, 1])
    if not (0 <= x < shape[1] and 0 <= y < shape[0]):
        return None
    half_width, half_height = scale * (right - left) / 2, scale * (bottom - top) / 2
    landmarks = face.landmarks @ similarity[:, :2].T + similarity[:, 2]
    return replace(
        face,
        box=(float(x - half_width), float(y - half_height), float(x + half_width), float(y + half_height)),
        landmarks=landmarks.astype(np.float32),
    )

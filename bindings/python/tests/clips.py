"""Clips of the bundled face moving over a blurred background, for the tests of video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

WIDTH, HEIGHT, FPS = 480, 270, 25.0

HEAD = (slice(40, 220), slice(110, 270))
"""Rows and columns of the whole photo that are shown."""

BOX = (140 - 110, 62 - 40, 229 - 110, 175 - 40)
"""The face within them, as the detector finds it."""


def place(index: int) -> tuple[int, int]:
    """Left and top of the shown part in a frame."""
    return 20 + 5 * index, 10 + 2 * index


def frames(cv2, photo: Path, count: int, without: range = range(0)) -> Iterator[np.ndarray]:
    """BGR frames of the face moving right and down over noise that moves left; none in the frames `without`."""
    head = cv2.imread(str(photo))[HEAD]
    noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH + count, 3), dtype=np.uint8)
    background = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 5), None, 40, 210, cv2.NORM_MINMAX)
    for index in range(count):
        frame = background[:, index : index + WIDTH].copy()
        if index not in without:
            left, top = place(index)
            frame[top : top + head.shape[0], left : left + head.shape[1]] = head
        yield frame


def write(cv2, path: Path, pictures: Iterator[np.ndarray], fps: float = FPS) -> Path:
    """Writes a clip of such frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path

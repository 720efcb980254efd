"""Bringing a face, found by any detector, to the frame that the network expects."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._library import check, library
from .errors import ShapeError
from .images import Color, Photo, Pixels, pixels_of, read_image, source_of, take_bitmap


def align_face(photo: Photo, landmarks: np.ndarray | Sequence[Any], *, color: Color = "rgb") -> np.ndarray:
    """Warps a photo to CelebA's aligned frame by the least-squares similarity.

    Args:
        photo: a path, bytes, a PIL image or an array.
        landmarks: 5x2, x and y in pixels of the upright photo: the eye on the photo's left, the eye on its right,
            the nose, the mouth's left and right corners.
        color: order of an array's channels.

    Returns:
        218x178x3 of uint8, RGB, to hand to `Model.predict`.

    Raises:
        ShapeError: `landmarks` is not 5x2.
        InvalidArgumentError: points that are not finite or all in one place.
        BlanError: the photo cannot be read.
    """
    points = np.ascontiguousarray(landmarks, dtype=np.float32)
    if points.shape != (5, 2):
        raise ShapeError(f"landmarks have shape {points.shape}; expected (5, 2)")
    source = source_of(photo, color)
    pixels = source if isinstance(source, Pixels) else pixels_of(read_image(photo), "rgb")
    bitmap = ctypes.c_void_p()
    pointer = points.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    check(library().blan_align_face(ctypes.byref(pixels.image), pointer, ctypes.byref(bitmap)))
    return take_bitmap(bitmap)

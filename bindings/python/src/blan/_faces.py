"""Predicting whole photos: every face that a detector finds."""

from __future__ import annotations

import ctypes

from . import _batch, _structures
from ._library import check, library
from .detection import Detector, Face, face_of
from .images import Pixels

_ROOM = 8
"""Faces that a call has room for at first; a photo with more is looked at again."""


def run(
    model: ctypes.c_void_p, layout: _batch.Layout, wanted: _batch.Wanted, detector: Detector, pixels: Pixels
) -> tuple[list[Face], _batch.Outputs]:
    """The faces of a photo, the largest first, and their outputs in the same order.

    Raises:
        BlanError: the call failed.
    """
    room = _ROOM
    while True:
        outputs = _batch.Outputs(layout, wanted, room)
        faces, count = (_structures.Face * room)(), ctypes.c_size_t()
        options = outputs.options(_structures.ItemError(), 0)
        check(
            library().blan_predict_faces(
                model,
                detector.pointer,
                ctypes.byref(pixels.image),
                ctypes.byref(detector.options),
                ctypes.byref(options),
                faces,
                _batch.floats(outputs.probabilities),
                room,
                ctypes.byref(count),
            )
        )
        if count.value <= room:
            return [face_of(face) for face in faces[: count.value]], outputs
        room = count.value

"""Explaining photos: what `Model.explain` does."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..detection import Detector, Face, face_struct
from ..errors import InvalidArgumentError
from ..images import Color, FilePath, Photo, pixels_of, read_image, source_of
from . import running
from .explainer import Explainer
from .names import Score, attributes_named, scores_named
from .result import Explanation


def explain(
    model: ctypes.c_void_p,
    names: tuple[str, ...],
    input_size: int,
    trained: bool,
    photo: Photo,
    attributes: str | Iterable[str],
    *,
    method: running.Method,
    scores: Score | Iterable[Score],
    detector: Detector | None,
    explainer: Callable[[], Explainer],
    color: Color,
    maximum_pixels: int,
    patch: int,
    stride: int,
    fill: running.Fill,
    on_progress: running.OnProgress | None,
) -> list[Explanation]:
    """Explains the faces that a detector finds in a photo; without a detector, the photo as one aligned face."""
    if method not in ("gradcam", "occlusion"):
        raise InvalidArgumentError(f'method is {method!r}; expected "gradcam" or "occlusion"')
    chosen = attributes_named([attributes] if isinstance(attributes, str) else attributes, names)
    single = isinstance(scores, (str, int))
    request = running.Request(
        tuple(names.index(name) for name in chosen),
        scores_named([scores] if single else scores),  # type: ignore[list-item, arg-type]
        patch,
        stride,
        fill,
    )
    source = source_of(photo, color)
    whole = read_image(photo, color=color, maximum_pixels=maximum_pixels)
    common: dict[str, Any] = {
        "method": method,
        "attributes": chosen,
        "scores": request.scores,
        "input_size": input_size,
        "source": os.fsdecode(source) if isinstance(source, FilePath) else "",
        "trained": trained,
    }
    if method == "occlusion":
        common |= dict(zip(("patch", "stride"), _sizes(request, input_size), strict=True))
    gradients = explainer() if method == "gradcam" else None
    if gradients is not None:
        running.check_size(gradients, input_size)

    results = []
    places = _places(whole, detector)
    for index, (face, crop) in enumerate(places):
        watch = running.Watch(on_progress, index, len(places))
        pixels = pixels_of(crop, "rgb")
        if gradients is None:
            values, maps = running.occlude(model, pixels, request, watch)
        else:
            values, maps = running.gradcam(gradients, pixels, request, watch)
        frame = None if face is None else running.face_frame(face_struct(face))
        results.append(Explanation(values=values, maps=maps, crop=crop, face=face, frame=frame, **common))
    return results


def _places(whole: np.ndarray, detector: Detector | None) -> list[tuple[Face | None, np.ndarray]]:
    if detector is None:
        return [(None, whole)]
    return [(face, detector.align(whole, face)) for face in detector.detect(whole)]


def _sizes(request: running.Request, input_size: int) -> tuple[int, int]:
    """Patch and stride as the library chooses them for 0."""
    patch = request.patch or input_size // 8
    return patch, request.stride or (patch + 1) // 2

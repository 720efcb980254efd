"""Calls of the library that explain one image."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .. import _batch, _explain_structures, _structures
from .._arguments import within
from .._library import check, library
from ..errors import InvalidArgumentError, ShapeError
from ..images import Pixels
from .explainer import Explainer
from .names import SCORES, Score

Method: TypeAlias = Literal["gradcam", "occlusion"]

Fill: TypeAlias = Literal["model", "image"] | Sequence[float]
"""What a patch is filled with: the model's mean colour, the image's own, or R, G and B from 0 to 1."""

OnProgress: TypeAlias = Callable[[int, int], object]
"""Told how many steps of how many are done; False stops the call with CancelledError."""


@dataclass(frozen=True)
class Request:
    """What is to be explained.

    Attributes:
        attributes: indices of the attributes.
        scores: which of their scores.
        patch, stride, fill: of occlusion; 0 = the library's choice.
    """

    attributes: tuple[int, ...]
    scores: tuple[Score, ...]
    patch: int
    stride: int
    fill: Fill

    @property
    def shape(self) -> tuple[int, int]:
        """Attributes, scores."""
        return len(self.attributes), len(self.scores)

    def targets(self) -> ctypes.Array:
        """An array of blan_explain_target, scores within attributes."""
        pairs = [(attribute, SCORES.index(score)) for attribute in self.attributes for score in self.scores]
        return (_explain_structures.ExplainTarget * len(pairs))(*pairs)

    def occlusion_options(self) -> _explain_structures.OcclusionOptions:
        """The options of a call, without outputs and progress."""
        options = _explain_structures.OcclusionOptions(
            ctypes.sizeof(_explain_structures.OcclusionOptions),
            within("patch", self.patch, 0, 2**31 - 1),
            within("stride", self.stride, 0, 2**31 - 1),
        )
        if isinstance(self.fill, str):
            kinds = {"model": _explain_structures.FILL_MODEL_MEAN, "image": _explain_structures.FILL_IMAGE_MEAN}
            if self.fill not in kinds:
                raise InvalidArgumentError(f'fill is {self.fill!r}; expected "model", "image" or three numbers')
            options.fill = kinds[self.fill]
        else:
            color = tuple(float(part) for part in self.fill)
            if len(color) != 3:
                raise InvalidArgumentError(f"fill has {len(color)} numbers; expected R, G and B")
            options.fill = _explain_structures.FILL_COLOR
            options.color = (ctypes.c_float * 3)(*color)
        return options


class Watch:
    """The progress of a call. An exception in Python's part of it, Ctrl-C too, stops the call and is raised."""

    def __init__(self, on_progress: OnProgress | None, first: int, rounds: int) -> None:
        """Watches round `first` of `rounds` of the same length."""
        self._failure: BaseException | None = None

        def progress(done: int, count: int, _user: int | None) -> int:
            try:
                return int(on_progress is not None and on_progress(first * count + done, rounds * count) is False)
            except BaseException as error:
                self._failure = error
                return 1

        self.callback = _explain_structures.ExplainProgress(progress)

    def check(self, status: int) -> None:
        """Raises what the callback raised, or what the call failed with."""
        if self._failure is not None:
            raise self._failure
        check(status)


def occlusion_side(model: ctypes.c_void_p, request: Request) -> int:
    """Rows of an occlusion map; 0 where the options are out of range, which the call itself says."""
    return library().blan_occlusion_size(model, ctypes.byref(request.occlusion_options()))


def occlude(
    model: ctypes.c_void_p, pixels: Pixels, request: Request, watch: Watch
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The scores and the one map of each: attributes x scores, and attributes x scores x n x n."""
    side = occlusion_side(model, request)
    values = np.zeros(request.shape, dtype=np.float32)
    maps = np.zeros((*request.shape, side, side), dtype=np.float32)
    options = request.occlusion_options()
    options.values, options.progress = _batch.floats(values), watch.callback
    targets = request.targets()
    image = ctypes.byref(pixels.image)
    watch.check(
        library().blan_explain_occlusion(
            model, image, targets, len(targets), ctypes.byref(options), _batch.floats(maps)
        )
    )
    return values, (maps,)


def gradcam(
    explainer: Explainer, pixels: Pixels, request: Request, watch: Watch
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The scores and four maps of each: attributes x scores, and four times attributes x scores x side x side."""
    values = np.zeros(request.shape, dtype=np.float32)
    areas = [side * side for side in explainer.map_sizes]
    maps = np.zeros((*request.shape, sum(areas)), dtype=np.float32)
    options = _explain_structures.GradCAMOptions(
        ctypes.sizeof(_explain_structures.GradCAMOptions), _batch.floats(values), watch.callback
    )
    targets = request.targets()
    image = ctypes.byref(pixels.image)
    watch.check(
        library().blan_explain_gradcam(
            explainer.pointer, image, targets, len(targets), ctypes.byref(options), _batch.floats(maps)
        )
    )
    parts = np.split(maps, np.cumsum(areas)[:-1], axis=2)
    sides = explainer.map_sizes
    return values, tuple(part.reshape(*request.shape, side, side) for part, side in zip(parts, sides, strict=True))


def face_frame(face: _structures.Face) -> np.ndarray:
    """2x3: takes a point of the aligned frame to the photo, pixel centres at whole numbers."""
    matrix = np.zeros((2, 3))
    pointer = matrix.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    check(library().blan_face_frame(ctypes.byref(face), pointer))
    return matrix


def check_size(explainer: Explainer, input_size: int) -> None:
    """Raises ShapeError where an explainer cannot be of the model that it is used with."""
    if explainer.map_sizes[0] * 4 != input_size:
        raise ShapeError(
            f"the explainer's network has an input of {explainer.map_sizes[0] * 4} pixels; the model's has {input_size}"
        )

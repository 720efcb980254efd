"""The maps that explain one face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..detection import Face
from ..errors import InvalidArgumentError
from ..images import Color, Photo, read_image
from . import drawing
from .names import Score, attributes_named
from .running import Method


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Where in a face the scores of some attributes come from.

    Every score is a difference "present" less "absent" before any softmax or temperature, so 0 is undecided. In every
    map a place above 0 speaks for the attribute, one below 0 against it.

    Attributes:
        method: "gradcam" or "occlusion".
        attributes: the A attributes that are explained.
        scores: the K scores of each: "decision", 1 to 4 for one classifier's, "sum".
        values: AxK floats: the scores themselves.
        maps: Grad-CAM: four arrays, level 1 to 4, AxKxSxS with S the level's own size; occlusion: one array AxKxNxN,
            the fall of the score when a patch covers the place.
        crop: HxWx3 of uint8, RGB: the aligned face, as the network got it before resizing.
        input_size: side of the network's input, which `patch` and `stride` are measured in.
        patch, stride: of occlusion; 0 for Grad-CAM.
        face: where the face is in the photo; None for a crop that was aligned already.
        frame: 2x3, takes a point (x, y) of the crop to the photo; None for a crop that was aligned already.
        source: the path that was given, or "" for a photo from memory.
        trained: False when the model's weights are random; nothing here means anything then.
    """

    method: Method
    attributes: tuple[str, ...]
    scores: tuple[Score, ...]
    values: np.ndarray
    maps: tuple[np.ndarray, ...]
    crop: np.ndarray
    input_size: int
    patch: int = 0
    stride: int = 0
    face: Face | None = None
    frame: np.ndarray | None = None
    source: str = ""
    trained: bool = True

    def __getitem__(self, name: str) -> tuple[np.ndarray, ...]:
        """The maps of an attribute's first score: four of Grad-CAM, one of occlusion."""
        attribute = self._attribute(name)
        return tuple(level[attribute, 0] for level in self.maps)

    def map(self, name: str, *, score: Score | None = None, level: int | None = None) -> np.ndarray:
        """One map in its own size.

        Args:
            name: an attribute.
            score: one of `scores`; None = the first.
            level: of Grad-CAM, 1 to 4; None = the deepest.

        Raises:
            InvalidArgumentError: a name, a score or a level that is not here; near names are listed.
        """
        return self.maps[self._level(level)][self._attribute(name), self._score(score)]

    def value(self, name: str, *, score: Score | None = None) -> float:
        """The score that is explained, above 0 for "present"."""
        return float(self.values[self._attribute(name), self._score(score)])

    def pixels(self, name: str, *, score: Score | None = None, level: int | None = None) -> np.ndarray:
        """One map at the size of the crop: HxW floats.

        Grad-CAM is interpolated between its cells; of occlusion each pixel has the mean of the patches that cover it.
        """
        values = self.map(name, score=score, level=level)
        if self.method == "occlusion":
            values = drawing.spread(values, self.patch, self.stride, self.input_size)
        return drawing.enlarge(values, *self.crop.shape[:2])

    def overlay(
        self,
        name: str,
        *,
        score: Score | None = None,
        level: int | None = None,
        photo: Photo | None = None,
        color: Color = "rgb",
    ) -> np.ndarray:
        """One map laid over the face: red speaks for the attribute, blue against it.

        Args:
            name: an attribute.
            score: as in `map`.
            level: as in `map`.
            photo: the whole photo, to draw on it; None = on the crop.
            color: order of an array's channels.

        Returns:
            HxWx3 of uint8, RGB.

        Raises:
            InvalidArgumentError: as `map`, and a whole photo for a crop that was aligned already.
        """
        values = self.pixels(name, score=score, level=level)
        scale = drawing.strongest(values)
        if photo is None:
            return drawing.blend(self.crop, values, scale)
        if self.frame is None:
            raise InvalidArgumentError("the crop was aligned already: where it lies in a photo is not known")
        whole = read_image(photo, color=color)
        return drawing.blend(whole, drawing.onto_photo(values, self.frame, *whole.shape[:2]), scale)

    def _attribute(self, name: str) -> int:
        return self.attributes.index(attributes_named([name], self.attributes)[0])

    def _score(self, score: Score | None) -> int:
        if score is None:
            return 0
        if score not in self.scores:
            raise InvalidArgumentError(f"score {score!r} was not explained; it is one of {self.scores}")
        return self.scores.index(score)

    def _level(self, level: int | None) -> int:
        if level is not None and not (self.method == "gradcam" and 1 <= level <= len(self.maps)):
            expected = f"1 to {len(self.maps)}" if self.method == "gradcam" else "none: occlusion has one map"
            raise InvalidArgumentError(f"level is {level}; expected {expected}")
        return (level or len(self.maps)) - 1

    def __repr__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        values = ", ".join(f"{name} {self.values[i, 0]:+.2f}" for i, name in enumerate(self.attributes))
        return f"<Explanation {where}{self.method} of {values}{'' if self.trained else ' (UNTRAINED model)'}>"

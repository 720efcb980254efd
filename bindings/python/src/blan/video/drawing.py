"""Drawing faces and their attributes into a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._opencv import opencv

if TYPE_CHECKING:
    from .tracker import TrackedFace

_COLORS = ((255, 178, 56), (80, 200, 120), (80, 128, 255), (220, 120, 220), (60, 210, 230), (200, 200, 90))
"""BGR; a track keeps its colour. Light enough for dark text on them, and for lines on most pictures."""

_INK, _TEXT, _BAR = (24, 24, 24), (255, 255, 255), (110, 110, 110)
_SHADE = 0.35
"""How much of the picture shows through the panel behind the attributes."""

_ROWS = 25
"""Lines of text that a frame's height has room for."""


def draw(frame: np.ndarray, faces: Sequence[TrackedFace], top: int) -> np.ndarray:
    """Draws each face's box with its number, and beside it the likeliest `top` attributes present, with bars.

    Args:
        frame: HxWx3 of uint8, BGR; it is drawn into.
        faces: those to draw.
        top: attributes a face; 0 draws boxes and numbers alone.

    Returns:
        `frame`.
    """
    canvas = _Canvas(frame)
    for face in faces:
        canvas.box(face)
    for face in faces:
        canvas.panel(face, top)
    return frame


class _Canvas:
    """A frame with sizes that go with its height."""

    def __init__(self, frame: np.ndarray) -> None:
        self._cv2 = opencv()
        self._frame = frame
        self._height, self._width = frame.shape[:2]
        self._row = max(13, round(min(self._height, self._width * 0.75) / _ROWS))
        self._line = max(1, round(self._row / 12))
        self._font = self._cv2.FONT_HERSHEY_SIMPLEX
        (_, drawn), below = self._cv2.getTextSize("Ag", self._font, 1.0, 1)
        self._scale = 0.66 * self._row / (drawn + below / 2)
        self._pad = max(3, self._row // 4)

    def box(self, face: TrackedFace) -> None:
        """The box and the landmarks."""
        left, top, right, bottom = (round(side) for side in face.face.box)
        color = _color(face.track)
        width = 2 * self._line
        self._cv2.rectangle(self._frame, (left, top), (right, bottom), _INK, width + 2, self._cv2.LINE_AA)
        self._cv2.rectangle(self._frame, (left, top), (right, bottom), color, width, self._cv2.LINE_AA)
        for x, y in face.face.landmarks.tolist():
            self._cv2.circle(self._frame, (round(x), round(y)), self._line + 1, color, -1, self._cv2.LINE_AA)

    def panel(self, face: TrackedFace, top: int) -> None:
        """The number and the attributes: right of the box, left of it where there is no room, else over it."""
        title = f"Face {face.track}" + ("" if face.prediction.trained else " (untrained model)")
        shown = [(name.replace("_", " "), p) for name, p in list(face.attributes.items())[:top]]
        percents = max((self._text_width(f" {_percent(p)}") for _, p in shown), default=0)
        inner = max(self._text_width(title), max((self._text_width(name) for name, _ in shown), default=0) + percents)
        width, height = inner + 2 * self._pad, self._row * (1 + len(shown)) + (self._pad if shown else 0)
        x, y = self._place(face, width, height)
        self._shade(x, y, width, height)
        self._cv2.rectangle(self._frame, (x, y), (x + width, y + self._row), _color(face.track), -1)
        self._write(title, x + self._pad, y, _INK)
        for number, (name, probability) in enumerate(shown, 1):
            above = y + number * self._row + self._pad // 2
            base = above + self._row - self._line
            self._cv2.line(self._frame, (x + self._pad, base), (x + self._pad + inner, base), _BAR, self._line)
            end = x + self._pad + round(inner * probability)
            self._cv2.line(self._frame, (x + self._pad, base), (end, base), _color(face.track), self._line)
            self._write(name, x + self._pad, above, _TEXT)
            text = _percent(probability)
            self._write(text, x + self._pad + inner - self._text_width(text), above, _TEXT)

    def _place(self, face: TrackedFace, width: int, height: int) -> tuple[int, int]:
        left, top, right, bottom = face.face.box
        gap = 2 * self._line + 2
        if right + gap + width <= self._width:
            x, y = right + gap, top
        elif left - gap - width >= 0:
            x, y = left - gap - width, top
        else:
            x, y = left, bottom + gap if bottom + gap + height <= self._height else top - gap - height
        fits = (max(0, self._width - width), max(0, self._height - height))
        return round(min(max(0, x), fits[0])), round(min(max(0, y), fits[1]))

    def _shade(self, x: int, y: int, width: int, height: int) -> None:
        part = self._frame[y : y + height, x : x + width]
        part[:] = (part * _SHADE + np.array(_INK) * (1 - _SHADE)).astype(np.uint8)

    def _text_width(self, text: str) -> int:
        return self._cv2.getTextSize(text, self._font, self._scale, 1)[0][0]

    def _write(self, text: str, x: int, above: int, color: tuple[int, int, int]) -> None:
        base = above + round(0.7 * self._row)
        self._cv2.putText(self._frame, text, (x, base), self._font, self._scale, color, 1, self._cv2.LINE_AA)


def _color(track: int) -> tuple[int, int, int]:
    return _COLORS[(track - 1) % len(_COLORS)]


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %"

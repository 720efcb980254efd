"""The contact sheet: a page of found faces, each with its probabilities while it is pointed at."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._library import library
from ..detection import align_detected
from ..errors import BlanError
from ..images import pixels_of, read_image
from . import page, png
from .words import spelled

if TYPE_CHECKING:
    from ..search import Found, Index

_UNTRAINED = "The model behind this index is not trained: its weights are random, so its probabilities mean nothing."
_SIDE = 218
"""Longest side of a thumbnail, that of an aligned face."""


def write_contact_sheet(
    path: str | os.PathLike[str], found: Iterable[Found], index: Index, *, title: str = "Faces", lead: str = ""
) -> None:
    """Writes a self-contained HTML page of found faces. The file appears whole or not at all.

    Thumbnails lead to the photos; the probabilities of a face are shown while it is pointed at.

    Args:
        path: the file to write.
        found: of `Index.find`; the photos are read again for their thumbnails.
        index: what they were found in.
        title: of the page.
        lead: what stands below it, such as the condition.

    Raises:
        FileError: the page cannot be written.
    """
    thumbnails = _Thumbnails()
    cards = [_card(face, thumbnails.of(face)) for face in found]
    count = f"{len(cards)} face{'' if len(cards) == 1 else 's'}"
    text = escape(" · ".join(part for part in (count, lead) if part))
    body = f'<ul class="sheet">{"".join(cards)}</ul>' if cards else '<p class="none">No face was found.</p>'
    if cards:
        body += '<p class="hint">Point at a face, or go to it with the Tab key, to see its probabilities.</p>'
    facts = f"libblan {library().blan_version().decode()} · index {os.path.basename(index.path)} of {index.root}"
    notes = (
        "The mark on each bar is the probability from which the attribute counts as present. Attributes are "
        "annotators' impressions of a photo, not facts about a person; do not decide about people with them."
    )
    footer = f"<p>{notes}</p><p>{escape(facts)}</p>"
    content = page.document(title, text, body, footer, "" if index.trained else _UNTRAINED, "contact.css")
    page.write(path, content)


def _card(face: Found, thumbnail: str) -> str:
    prediction = face.prediction
    name = escape(os.path.basename(face.path))
    number = f" <small>face {face.number}</small>" if face.number > 1 else ""
    alike = "" if face.similarity is None else f'<span class="alike">{face.similarity:.3f}</span>'
    picture = f'<img src="{thumbnail}" alt="">' if thumbnail else '<span class="gone">the photo cannot be read</span>'
    present = prediction.attributes
    words = ", ".join(spelled(attribute) for attribute in list(present)[:3]) or "nothing above its threshold"
    return (
        f'<li><a href="{escape(Path(face.path).as_uri())}" aria-label="{name}, face {face.number}">'
        f'<span class="thumb">{picture}{alike}</span><b>{name}{number}</b><small>{escape(words)}</small></a>'
        f'<aside><h2>{name}{number}</h2><p class="where">{escape(_printable(face.path))}</p>{_bars(face)}</aside></li>'
    )


def _bars(face: Found) -> str:
    prediction = face.prediction
    thresholds = dict(zip(prediction.names, prediction.thresholds.tolist(), strict=True))
    rows = []
    for name, probability in prediction.ranked():
        kind = "present" if name in prediction.attributes else "absent"
        percent = 100 * probability
        rows.append(
            f'<li class="{kind}"><span class="name">{escape(spelled(name))}</span>'
            f'<span class="bar" aria-hidden="true"><i style="width: {percent:.1f}%"></i>'
            f'<u style="left: {100 * thresholds[name]:.1f}%"></u></span>'
            f'<span class="value">{percent:.0f}<span class="unit"> %</span></span></li>'
        )
    return f"<ul>{''.join(rows)}</ul>"


def _printable(path: str) -> str:
    """A path without the surrogates that stand for bytes that are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Thumbnails:
    """Faces as small pictures. The photo read last is kept: its faces often follow each other."""

    def __init__(self) -> None:
        self._path = ""
        self._photo: np.ndarray | None = None

    def of(self, face: Found) -> str:
        """The face as a data URI; "" where its photo cannot be read any more."""
        if face.path != self._path:
            self._path = face.path
            try:
                self._photo = read_image(face.path)
            except BlanError:
                self._photo = None
        if self._photo is None:
            return ""
        box = face.prediction.face
        pixels = self._photo if box is None else align_detected(pixels_of(self._photo, "rgb"), box)
        return _encoded(_reduced(pixels))


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """Whole blocks of pixels averaged until the longer side fits."""
    factor = -(-max(pixels.shape[:2]) // _SIDE)
    if factor == 1 or min(pixels.shape[:2]) < factor:
        return pixels
    height, width = (side // factor * factor for side in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    return blocks.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8)


def _encoded(pixels: np.ndarray) -> str:
    """A JPEG where Pillow is installed, otherwise a PNG, which is ten times larger."""
    try:
        pillow: Any = importlib.import_module("PIL.Image")
    except ImportError:
        return png.data_uri(png.encode(pixels))
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return png.data_uri(buffer.getvalue(), "image/jpeg")

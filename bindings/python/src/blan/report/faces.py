"""The page about faces: photo with the face's box, a bar per attribute, attention maps laid over the face."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from .._library import library
from ..detection import Face, align_detected
from ..images import Photo, pixels_of, read_image
from ..prediction import Prediction
from . import heat, page
from .photo import Embedded, embed, embed_pixels

if TYPE_CHECKING:
    from ..model import Model

_UNTRAINED = (
    "This model is not trained: its weights are random numbers, so its probabilities and attention maps mean nothing. "
    "The page only shows that everything works."
)
_LEVELS = ("fine", "middle", "coarse")
"""What the three attention levels see, shallowest first."""


def write_report(
    path: str | os.PathLike[str],
    predictions: Iterable[Prediction],
    model: Model,
    photos: Sequence[Photo] | None = None,
) -> None:
    """Writes a self-contained HTML page about some faces. The file appears whole or not at all.

    Args:
        path: the file to write.
        predictions: of `Model.predict`, with `attention=True` for maps over the faces. One with an error is listed.
            Faces of one photo that follow each other share its picture.
        model: what predicted them.
        photos: the photo of each prediction, arrays in RGB; None = read again from each `Prediction.source`.

    Raises:
        FileError: the page cannot be written.
        BlanError: a photo cannot be read again.
    """
    predictions = list(predictions)
    photos = [prediction.source for prediction in predictions] if photos is None else photos
    numbered = enumerate(zip(predictions, photos, strict=True), 1)
    # Photos are compared by identity: arrays have no single answer to ==.
    groups = groupby(numbered, key=lambda item: item[1][1] if isinstance(item[1][1], str) else id(item[1][1]))
    cards = "\n".join(_group([(number, *pair) for number, pair in items]) for _, items in groups)
    failed = sum(prediction.error is not None for prediction in predictions)
    count = len(predictions) - failed
    lead = f"{len(model.names)} attributes of {count} face{'' if count == 1 else 's'}"
    if failed:
        lead += f" · {failed} photo{'' if failed == 1 else 's'} could not be read"
    content = page.document("Facial attributes", lead, cards, _footer(model), "" if model.trained else _UNTRAINED)
    page.write(path, content)


def _group(items: list[tuple[int, Prediction, Photo]]) -> str:
    """The cards of one photo; its picture is embedded once."""
    cards = "\n".join(_card(number, prediction, photo) for number, prediction, photo in items)
    if not any(prediction.face is not None for _, prediction, _ in items):
        return cards
    return f"""<div style="--whole: url('{embed(items[0][2]).uri}')">\n{cards}\n</div>"""


def _card(number: int, prediction: Prediction, photo: Photo) -> str:
    name = escape(os.path.basename(prediction.source) or f"face {number}")
    if prediction.error is not None:
        return f'<article class="failed"><h2>{name}</h2><p>{escape(str(prediction.error))}</p></article>'
    face = prediction.face
    if face is None:
        picture, whole = embed(photo), ""
        label = f"The photo {name}"
    else:
        pixels = read_image(photo)
        picture = embed_pixels(align_detected(pixels_of(pixels, "rgb"), face))
        whole = _whole(name, face, pixels.shape[1], pixels.shape[0])
        label = f"The aligned face of {name}"
    size = f"{picture.width} &times; {picture.height}" if face is None else place_of(face)
    return f"""<article style="--photo: url('{picture.uri}'); --ratio: {picture.width} / {picture.height}">
<h2>{name} <small>{size}</small></h2>
<div class="face">
<div class="pictures">
{whole}
<div class="photo{"" if face is None else " aligned"}" role="img" aria-label="{label}"></div>
{_maps(prediction, picture)}
</div>
{_bars(prediction)}
</div>
</article>"""


def place_of(face: Face) -> str:
    """Where a face is, as HTML."""
    left, top, right, bottom = (round(side) for side in face.box)
    return f"face of {right - left} &times; {bottom - top} at ({left}, {top}), score {face.score:.2f}"


def _whole(name: str, face: Face, width: int, height: int) -> str:
    """The photo with the face's box and landmarks drawn on it."""
    left, top, right, bottom = face.box
    radius = max((right - left) / 40, 0.6)
    points = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>' for x, y in face.landmarks.tolist())
    return (
        f'<div class="photo whole" style="--ratio: {width} / {height}" role="img" '
        f'aria-label="The photo {name} with a box round the face">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"/>'
        f"{points}</svg></div>"
    )


def _maps(prediction: Prediction, picture: Embedded) -> str:
    if not prediction.attention:
        return ""
    figures = []
    for level, attention in enumerate(prediction.attention):
        side = attention.shape[0]
        scale = _LEVELS[min(level, len(_LEVELS) - 1)]
        label = f"Spatial attention of level {level + 1}, {side} by {side} cells, over the face"
        figures.append(
            f'<figure><div class="photo grey" role="img" aria-label="{label}">'
            f'<img src="{heat.overlay(attention)}" alt=""></div>'
            f"<figcaption><b>Level {level + 1}</b><br>{scale}, {side}&times;{side}<br>"
            f"{_range_of(attention)}</figcaption></figure>"
        )
    return f"""<div class="maps">{"".join(figures)}</div>
<p class="legend">less attention <span style="background: {heat.legend()}" aria-hidden="true"></span> more</p>"""


def _range_of(attention: np.ndarray) -> str:
    low, high = f"{attention.min():.2f}", f"{attention.max():.2f}"
    return f"all {low}" if low == high else f"{low} to {high}"


def _bars(prediction: Prediction) -> str:
    threshold = dict(zip(prediction.names, prediction.thresholds.tolist(), strict=True))
    present = prediction.attributes
    ranked = prediction.ranked()
    above = [item for item in ranked if item[0] in present]
    below = [item for item in ranked if item[0] not in present]
    sections = []
    for title, kind, items in (("Present", "present", above), ("Not present", "absent", below)):
        rows = "".join(_bar(name, probability, threshold[name]) for name, probability in items)
        content = f"<ul>{rows}</ul>" if items else '<p class="none">none</p>'
        sections.append(f'<section class="{kind}"><h3>{title} <small>{len(items)}</small></h3>{content}</section>')
    return f'<div class="attributes">{"".join(sections)}</div>'


def _bar(name: str, probability: float, threshold: float) -> str:
    label = escape(name.replace("_", " "))
    percent = 100 * probability
    return (
        f'<li><span class="name">{label}</span>'
        f'<span class="bar" aria-hidden="true"><i style="width: {percent:.1f}%"></i>'
        f'<u style="left: {100 * threshold:.1f}%"></u></span>'
        f'<span class="value">{percent:.1f}<span class="unit"> %</span></span></li>'
    )


def facts_of(model: Model) -> str:
    """What computed a page: library, model and network, plain text."""
    config = model.config
    return " · ".join(
        [
            f"libblan {library().blan_version().decode()}",
            f"model {os.path.basename(model.path) or 'from memory'}{'' if model.trained else ' (untrained)'}",
            f"width {config.get('width')}, input {model.input_size} x {model.input_size}, "
            f"variant {config.get('variant')}",
            "network: BLAN, Pattern Recognition 2020",
        ]
    )


def _footer(model: Model) -> str:
    notes = (
        "The mark on each bar is the probability from which the attribute counts as present. Each attention map is "
        "stretched to its own range, printed below it. Attributes are annotators' impressions of a photo, not facts "
        "about a person; do not decide about people with them."
    )
    return f"<p>{notes}</p><p>{escape(facts_of(model))}</p>"

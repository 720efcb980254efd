"""The page that explains: for each attribute the Grad-CAM maps, occlusion and spatial attention side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidArgumentError
from ..explanation import Explanation, drawing
from ..images import Color, Photo, read_image
from ..prediction import Prediction
from . import heat, page, png
from .faces import facts_of, place_of
from .photo import embed_pixels
from .words import spelled

if TYPE_CHECKING:
    from ..model import Model

_UNTRAINED = (
    "This model is not trained: its weights are random numbers, so its scores and these maps mean nothing. "
    "The page only shows that everything works."
)
_SIDE = 128
"""Of the pictures of maps, in pixels: enough for them to look smooth."""

_LEVELS = (1, 2, 3, 4)


def write_explanation(
    path: str | os.PathLike[str],
    gradcam: Sequence[Explanation],
    occlusion: Sequence[Explanation],
    predictions: Sequence[Prediction],
    model: Model,
    photo: Photo,
    *,
    color: Color = "rgb",
) -> None:
    """Writes a self-contained HTML page that explains some attributes of the faces of one photo.

        options = {"scores": ("decision", 1, 2, 3, 4)}
        faces = model.predict(photo, attention=True)
        gradcam = model.explain(photo, ["Smiling"], method="gradcam", **options)
        occlusion = model.explain(photo, ["Smiling"], method="occlusion", **options)
        blan.write_explanation("page.html", gradcam, occlusion, faces, model, photo)

    Args:
        path: the file to write; it appears whole or not at all.
        gradcam: of `Model.explain`, an item for each face; the page shows "decision" and the scores of those levels
            that `occlusion` has too.
        occlusion: the same faces' and attributes' occlusion.
        predictions: of `Model.predict` with `attention=True`, of the same faces.
        model: what explained them.
        photo: the photo of the faces.
        color: order of an array's channels.

    Raises:
        InvalidArgumentError: lists that do not belong together, or explanations without "decision".
        FileError: the page cannot be written.
        BlanError: the photo cannot be read again.
    """
    _check(gradcam, occlusion, predictions)
    whole = read_image(photo, color=color)
    faces = zip(gradcam, occlusion, predictions, strict=True)
    cards = "\n".join(_face(number, *face, whole, model) for number, face in enumerate(faces, 1))
    names = gradcam[0].attributes if gradcam else ()
    lead = f"{', '.join(escape(spelled(name)) for name in names)} in {len(gradcam)} face{'s' * (len(gradcam) != 1)}"
    if not gradcam:
        cards, lead = "<article><p>No face was found in this photo, so there is nothing to explain.</p></article>", ""
    content = page.document(
        "What the network looks at", lead, cards, _footer(model), "" if model.trained else _UNTRAINED
    )
    page.write(path, content)


def _check(gradcam: Sequence[Explanation], occlusion: Sequence[Explanation], predictions: Sequence[Prediction]) -> None:
    if not len(gradcam) == len(occlusion) == len(predictions):
        raise InvalidArgumentError(
            f"there are {len(gradcam)} faces in gradcam, {len(occlusion)} in occlusion and {len(predictions)} in "
            "predictions; expected the same faces in all"
        )
    for first, second in zip(gradcam, occlusion, strict=True):
        if (first.method, second.method) != ("gradcam", "occlusion") or first.attributes != second.attributes:
            raise InvalidArgumentError(
                "gradcam and occlusion are not those methods' explanations of the same attributes"
            )
        if "decision" not in first.scores or "decision" not in second.scores:
            raise InvalidArgumentError('the explanations lack "decision" among their scores')


def _face(
    number: int, gradcam: Explanation, occlusion: Explanation, prediction: Prediction, whole: np.ndarray, model: Model
) -> str:
    name = escape(os.path.basename(gradcam.source) or f"face {number}")
    height, width = gradcam.crop.shape[:2]
    place = f"{width} &times; {height}" if gradcam.face is None else place_of(gradcam.face)
    style = f"--photo: url('{embed_pixels(gradcam.crop).uri}'); --ratio: {width} / {height}"
    if gradcam.face is not None:
        style += f"; --whole: url('{embed_pixels(whole).uri}')"
    attention = prediction.attention or ()
    for level, values in enumerate(attention, 1):
        style += f"; --attention-{level}: url('{heat.overlay(values)}')"
    parts = "\n".join(
        _attribute(attribute, gradcam, occlusion, prediction, attention, whole, model)
        for attribute in gradcam.attributes
    )
    return f"""<article class="explained" style="{style}">
<h2>{name} <small>{place}</small></h2>
{parts}
</article>"""


def _attribute(
    name: str,
    gradcam: Explanation,
    occlusion: Explanation,
    prediction: Prediction,
    attention: Sequence[np.ndarray],
    whole: np.ndarray,
    model: Model,
) -> str:
    probability = prediction[name]
    present = probability >= prediction.thresholds[prediction.names.index(name)]
    scores = [score for score in _LEVELS if score in gradcam.scores and score in occlusion.scores]
    rows = [
        _row(
            "Grad-CAM of the decision",
            "each level's share of it, all four on one scale",
            [_plain(name), *_shares(name, gradcam)],
        )
    ]
    if scores:
        own = [_gradcam(name, gradcam, score, level=score) if score in scores else "" for score in _LEVELS]
        rows.append(_row("Grad-CAM of each level", "of the level's own score, each on its own scale", ["", *own]))
    covered = [_occlusion(name, occlusion, score) if score in scores else "" for score in _LEVELS]
    rows.append(
        _row(
            "Occlusion",
            f"fall of the score when {occlusion.patch} &times; {occlusion.patch} of {occlusion.input_size} &times; "
            f"{occlusion.input_size} pixels are covered",
            [_occlusion(name, occlusion, "decision"), *covered],
        )
    )
    if attention:
        maps = [_attention(level, values) for level, values in enumerate(attention, 1)]
        rows.append(_row("Spatial attention", "the same for every attribute", ["", *maps, ""]))
    heads = "".join(f"<th>{head}</th>" for head in ("Decision", *(f"Level {level}" for level in _LEVELS)))
    return f"""<section class="attribute">
<h3>{escape(spelled(name))} <small>{100 * probability:.1f} %, {"present" if present else "not present"}</small></h3>
<div class="face">
{_on_photo(name, occlusion, whole)}
<div>
{_scores(name, gradcam, scores)}
<p class="note">Covering a place changes the decision by {_change(occlusion, name)}.</p>
{_legends(bool(attention))}
</div>
</div>
<div class="wide"><table class="levels"><thead><tr><th></th>{heads}</tr></thead><tbody>
{"".join(rows)}</tbody></table></div>
</section>"""


def _scores(name: str, gradcam: Explanation, levels: Sequence[int]) -> str:
    """A bar to each side of 0 for the decision and each level."""
    values = {"decision": gradcam.value(name, score="decision")}
    values |= {f"level {level}": gradcam.value(name, score=level) for level in levels}  # type: ignore[arg-type]
    most = max(max(abs(value) for value in values.values()), 1e-6)
    rows = []
    for label, value in values.items():
        side, share = ("left: 50%" if value >= 0 else "right: 50%"), 50 * abs(value) / most
        color = "for" if value >= 0 else "against"
        rows.append(
            f'<li><span>{label}</span><span class="bar" aria-hidden="true"><i class="{color}" '
            f'style="{side}; width: {share:.1f}%"></i><u></u></span><b>{value:+.2f}</b></li>'
        )
    return f'<ul class="scores">{"".join(rows)}</ul>'


def _change(occlusion: Explanation, name: str) -> str:
    falls = occlusion.map(name, score="decision")
    return f"{-falls.max():+.2f} to {-falls.min():+.2f}"


def _row(title: str, hint: str, cells: Sequence[str]) -> str:
    content = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr><th>{title}<small>{hint}</small></th>{content}</tr>\n"


def _plain(name: str) -> str:
    return _figure('<div class="photo" role="img" aria-label="The aligned face"></div>', "the face")


def _shares(name: str, gradcam: Explanation) -> list[str]:
    """The four maps of the decision.

    Times the level's number of places, a map says how much a whole face like that place would add to the score, so
    that maps of different sizes can be compared.
    """
    maps = [gradcam.map(name, score="decision", level=level) for level in _LEVELS]
    scale = max(drawing.strongest(values) * values.size for values in maps)
    return [
        _signed(
            f"Grad-CAM of the decision about {spelled(name)} at level {level}",
            values * values.size,
            scale,
            f"{_extreme(values * values.size):+.2f}, {values.shape[0]}&times;{values.shape[1]}",
        )
        for level, values in zip(_LEVELS, maps, strict=True)
    ]


def _gradcam(name: str, gradcam: Explanation, score: int, level: int) -> str:
    values = gradcam.map(name, score=score, level=level)  # type: ignore[arg-type]
    values = values * values.size
    label = f"Grad-CAM of classifier {score} on {spelled(name)}"
    return _signed(label, values, drawing.strongest(values), f"{_extreme(values):+.2f}")


def _occlusion(name: str, occlusion: Explanation, score: int | str) -> str:
    cells = occlusion.map(name, score=score)  # type: ignore[arg-type]
    values = drawing.spread(cells, occlusion.patch, occlusion.stride, occlusion.input_size)
    what = "the decision" if score == "decision" else f"classifier {score}"
    label = f"Occlusion of {what} about {spelled(name)}"
    return _signed(label, values, drawing.strongest(values), f"{_extreme(cells):+.2f}")


def _signed(label: str, values: np.ndarray, scale: float, caption: str) -> str:
    picture = f'<img src="{_layer(values, scale)}" alt="">'
    return _figure(
        f'<div class="photo grey" role="img" aria-label="{escape(label)}">{picture}</div>',
        caption if scale > 0 else "no effect",
    )


def _layer(values: np.ndarray, scale: float) -> str:
    return png.data_uri(png.encode(drawing.colors(drawing.enlarge(values, _SIDE, _SIDE), scale)))


def _attention(level: int, values: np.ndarray) -> str:
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return _figure(
        f'<div class="photo grey" role="img" aria-label="Spatial attention of level {level}">'
        f'<i style="background-image: var(--attention-{level})"></i></div>',
        f"all {low}" if low == high else f"{low} to {high}",
    )


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _extreme(values: np.ndarray) -> float:
    """The number of the largest magnitude, with its sign."""
    return float(values.flat[np.abs(values).argmax()])


def _on_photo(name: str, occlusion: Explanation, whole: np.ndarray) -> str:
    """The whole photo, or the crop that was aligned already, with the occlusion map of the decision on the face."""
    height, width = whole.shape[:2]
    rows, columns = occlusion.crop.shape[:2]
    values = occlusion.pixels(name, score="decision")
    if occlusion.frame is None:
        return (
            f'<div class="photo grey" role="img" aria-label="The face with the occlusion map of '
            f'{escape(spelled(name))}"><img src="{_layer(values, drawing.strongest(values))}" alt=""></div>'
        )
    # SVG counts from a pixel's corner, the frame's matrix from its centre.
    (a, c, e), (b, d, f) = occlusion.frame
    e, f = e - 0.5 * (a + c) + 0.5, f - 0.5 * (b + d) + 0.5
    matrix = " ".join(f"{number:.4f}" for number in (a, b, c, d, e, f))
    edge = f'<rect width="{columns}" height="{rows}" transform="matrix({matrix})"/>'
    image = (
        f'<image href="{_layer(values, drawing.strongest(values))}" width="{columns}" height="{rows}" '
        f'preserveAspectRatio="none" transform="matrix({matrix})"/>'
    )
    return (
        f'<div class="photo whole grey" style="--photo: var(--whole); --ratio: {width} / {height}" role="img" '
        f'aria-label="The photo with the occlusion map of {escape(spelled(name))} on the face">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{image}{edge}</svg></div>'
    )


def _legends(attention: bool) -> str:
    def css(color: np.ndarray, opacity: float) -> str:
        return f"rgb({' '.join(f'{part:.0f}' for part in color)} / {opacity})"

    low, high = drawing.AGAINST, drawing.FOR
    stops = f"{css(low, 0.85)}, {css(low, 0)} 50%, {css(high, 0)} 50%, {css(high, 0.85)}"
    signed = (
        f'<p class="legend signed">speaks against <span style="background: linear-gradient(90deg, {stops}), #9a9a9a" '
        'aria-hidden="true"></span> speaks for</p>'
    )
    if not attention:
        return signed
    return (
        f'{signed}<p class="legend">less attention <span style="background: {heat.legend()}" aria-hidden="true"></span>'
        " more</p>"
    )


def _footer(model: Model) -> str:
    notes = (
        "Scores are the network's before its softmax: above 0 is present, below 0 is not. The number below a map is "
        "that of its strongest place. Grad-CAM weighs a level's features by the gradient of the score; occlusion "
        "covers a place and predicts again; attention is what the network multiplies its features by, whatever the "
        "attribute. Each shows what this model reacts to in this picture: not why, and nothing about the person. "
        "Maps of levels 3 and 4 are coarse, and what is learned together (hair and gender, say) cannot be told apart "
        "by looking."
    )
    return f"<p>{notes}</p><p>{escape(facts_of(model))}</p>"

"""`blan explain`: what the network looks at for some attributes of a face, as a page or pictures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..detection import Detector
from ..errors import FileError
from ..explanation import Explanation
from ..explanation.names import attributes_named
from ..explanation.running import Fill
from ..images import read_image
from ..model import Model, load
from ..prediction import Prediction
from ..report import png, write_explanation
from .console import UNTRAINED, note, stdout, warn
from .options import MinFace, ModelFile, Quiet, Threads
from .outputs import NO_FACE
from .progress import progress_over

EXAMPLES = """\b
Examples:
  blan explain photo.jpg --attribute Smiling --html page.html
  blan explain photo.jpg --attribute Smiling --attribute Eyeglasses --png maps/
  blan explain crop.jpg --aligned --patch 24 --stride 6 --html page.html
"""

_SCORES = ("decision", 1, 2, 3, 4)
_UNNAMED = 3
"""Attributes that are explained where none is named: those present, the most likely first."""


class FillName(str, Enum):
    """What a patch is filled with."""

    model = "model"
    image = "image"
    black = "black"
    white = "white"

    @property
    def fill(self) -> Fill:
        """The option of `Model.explain`."""
        return {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0)}.get(self.value, self.value)  # type: ignore[return-value]


def explain(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A JPEG or PNG file.")],
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An attribute to explain; may be given again. Without it, the likeliest that are present.",
        ),
    ] = None,
    model: ModelFile = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML page with all maps.")] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write every map, laid over the face, as a PNG file.")
    ] = None,
    aligned: Annotated[
        bool,
        typer.Option("--aligned", help="The photo is one face framed like CelebA's aligned images: look for none."),
    ] = False,
    min_face: MinFace = 20,
    max_faces: Annotated[int, typer.Option(metavar="N", min=0, help="Only the largest N faces; 0 = all.")] = 1,
    patch: Annotated[
        int,
        typer.Option(
            metavar="PIXELS", help="Side of the occluding patch, in pixels of the network's input; 0 = an eighth."
        ),
    ] = 0,
    stride: Annotated[
        int, typer.Option(metavar="PIXELS", help="From one place of the patch to the next; 0 = half the patch.")
    ] = 0,
    fill: Annotated[
        FillName, typer.Option(help="What the patch is: the model's mean colour, the image's, black or white.")
    ] = FillName.model,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Show where in a face the network's opinion of some attributes comes from.

    The largest face is found and aligned; with --aligned the photo is taken as it is. A table of the scores is printed;
    --html and --png write the maps: Grad-CAM at each level of the network, occlusion, spatial attention. Ctrl-C stops
    and writes nothing. docs/explaining.md tells what the maps mean and what they do not.
    """
    source = str(photo)
    with load(model, threads=threads) as network:
        named = attributes_named(attribute, network.names) if attribute else ()
        if not network.trained:
            warn(UNTRAINED)
        where = {"aligned": aligned}
        if not aligned:
            where["detector"] = Detector(min_face=min_face, max_faces=max_faces, threads=network.threads)  # type: ignore[assignment]
        predicted = network.predict(source, attention=True, **where)  # type: ignore[call-overload]
        predictions: list[Prediction] = [predicted] if aligned else predicted
        if not predictions:
            note(f"{source}: {NO_FACE}")
            if html is not None:
                write_explanation(html, [], [], [], network, source)
            return
        # One set of attributes for all faces: what the first one has, where none is named.
        names = named or tuple(name for name, _ in _likeliest(predictions[0])[:_UNNAMED])
        gradcam, occlusion = _explained(
            network, source, names, where, {"patch": patch, "stride": stride, "fill": fill.fill}, quiet
        )
        for index, face in enumerate(predictions):
            _print(face, gradcam[index], occlusion[index], names)
        if html is not None:
            write_explanation(html, gradcam, occlusion, predictions, network, source)
            if not quiet:
                note(f"wrote {html}")
        if png is not None:
            count = _write_pictures(png, gradcam, occlusion, source)
            if not quiet:
                note(f"wrote {count} pictures to {png}")


def _likeliest(prediction: Prediction) -> list[tuple[str, float]]:
    return list(prediction.attributes.items()) or prediction.ranked()


def _explained(
    network: Model,
    source: str,
    names: Sequence[str],
    where: dict[str, object],
    options: dict[str, object],
    quiet: bool,
) -> tuple[list[Explanation], list[Explanation]]:
    """Both methods' explanations, a face each."""
    found = []
    for method, verb, more in (("gradcam", "Grad-CAM", {}), ("occlusion", "occluding", options)):
        with progress_over(verb, None, quiet, "patches" if more else "maps") as advance:
            explained = network.explain(
                source,
                names,
                method=method,
                scores=_SCORES,
                on_progress=advance,
                **where,
                **more,  # type: ignore[arg-type]
            )
        found.append(explained if isinstance(explained, list) else [explained])
    return found[0], found[1]


def _print(prediction: Prediction, gradcam: Explanation, occlusion: Explanation, names: Sequence[str]) -> None:
    title = f"[bold]{escape(prediction.source)}[/]"
    if prediction.face is not None:
        title += f" [dim]face at {', '.join(f'{side:.0f}' for side in prediction.face.box)}[/]"
    table = Table(box=None, pad_edge=False)
    heads = ("attribute", "present", "decision", "level 1", "2", "3", "4", "when covered")
    for column in heads:
        table.add_column(column, justify="left" if column == "attribute" else "right", no_wrap=True)
    for name in names:
        scores = [f"{gradcam.value(name, score=score):+.2f}" for score in _SCORES]  # type: ignore[arg-type]
        falls = occlusion.map(name, score="decision")
        change = f"{-falls.max():+.2f} to {-falls.min():+.2f}"
        table.add_row(name.replace("_", " "), f"{100 * prediction[name]:.1f} %", *scores, change)
    console = stdout()
    console.print(title, soft_wrap=True)
    console.print(table)


def _write_pictures(folder: Path, gradcam: Sequence[Explanation], occlusion: Sequence[Explanation], source: str) -> int:
    """A file for each face, attribute and map."""
    whole = read_image(source)
    pictures = {}
    for index, (gradients, covered) in enumerate(zip(gradcam, occlusion, strict=True), 1):
        prefix = f"face-{index}-" if len(gradcam) > 1 else ""
        pictures[f"{prefix}face"] = gradients.crop
        for name in gradients.attributes:
            stem = f"{prefix}{name.replace('/', '_')}"
            for level in range(1, 5):
                pictures[f"{stem}-gradcam-{level}"] = gradients.overlay(name, level=level)
            pictures[f"{stem}-occlusion"] = covered.overlay(name)
            if covered.face is not None:
                pictures[f"{stem}-photo"] = covered.overlay(name, photo=whole)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            (folder / f"{name}.png").write_bytes(png.encode(picture))
    except OSError as error:
        raise FileError(f"cannot write to {folder}: {error.strerror}") from error
    return len(pictures)

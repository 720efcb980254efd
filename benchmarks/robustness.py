"""Accuracy of a model on damaged photos: noise, blur, low light, low resolution, JPEG and covered parts.

    PYTHONPATH=bindings/python/src python benchmarks/robustness.py DATA [--model M] [--split test] [--limit N]

Prints a Markdown table of the mean accuracy over attributes, each photo damaged in the same way before it is resized
for the network. Strengths are in 8-bit steps and in pixels of the aligned photo at 178 x 218; smaller photos are
enlarged to that first. Needs Pillow.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable

import blan
import numpy as np
from PIL import Image, ImageFilter

FRAME = (178, 218)
CHUNK = 64
Damage = Callable[[Image.Image, np.random.Generator], Image.Image]


def noise(deviation: float) -> Damage:
    """Gaussian noise of each channel."""

    def damage(image: Image.Image, random: np.random.Generator) -> Image.Image:
        pixels = np.asarray(image, dtype=np.float32)
        return Image.fromarray((pixels + random.normal(0, deviation, pixels.shape)).clip(0, 255).astype(np.uint8))

    return damage


def blur(radius: float) -> Damage:
    """Gaussian blur."""
    return lambda image, _: image.filter(ImageFilter.GaussianBlur(radius))


def darken(factor: float) -> Damage:
    """All values times a factor."""
    return lambda image, _: image.point(lambda value: int(value * factor))


def shrink(width: int) -> Damage:
    """Reduced to so many pixels of width and enlarged again."""

    def damage(image: Image.Image, _: np.random.Generator) -> Image.Image:
        small = image.resize((width, round(width * FRAME[1] / FRAME[0])), Image.Resampling.BILINEAR)
        return small.resize(FRAME, Image.Resampling.BILINEAR)

    return damage


def compress(quality: int) -> Damage:
    """Through a JPEG file of a quality."""

    def damage(image: Image.Image, _: np.random.Generator) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return damage


def cover(side: int) -> Damage:
    """A grey square at a random place."""

    def damage(image: Image.Image, random: np.random.Generator) -> Image.Image:
        covered = image.copy()
        left, top = (int(random.integers(0, extent - side)) for extent in FRAME)
        covered.paste((127, 127, 127), (left, top, left + side, top + side))
        return covered

    return damage


DAMAGES: dict[str, Damage] = {
    "as they are": lambda image, _: image,
    "noise, standard deviation 10": noise(10),
    "noise, standard deviation 25": noise(25),
    "blur, radius 2": blur(2),
    "blur, radius 4": blur(4),
    "half as bright": darken(0.5),
    "a quarter as bright": darken(0.25),
    "44 pixels wide": shrink(44),
    "22 pixels wide": shrink(22),
    "JPEG of quality 20": compress(20),
    "a square of 50 covered": cover(50),
    "a square of 90 covered": cover(90),
}


def framed(path: str) -> Image.Image:
    """A photo at the size that strengths refer to."""
    return Image.fromarray(blan.read_image(path)).resize(FRAME, Image.Resampling.BILINEAR)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="data set of aligned photos")
    parser.add_argument("--model", default=None, help="model file; without it, the bundled one")
    parser.add_argument("--split", default="test", choices=("all", "train", "validation", "test"))
    parser.add_argument("--limit", type=int, default=0, help="at most the first N photos; 0 = all")
    arguments = parser.parse_args()
    model = blan.load(arguments.model) if arguments.model else blan.load()
    data = blan.Dataset.open(arguments.data, split=arguments.split, attributes=model.names)
    count = min(len(data), arguments.limit) if arguments.limit else len(data)
    photos = [framed(path) for path in data.paths[:count]]
    labels = data.labels[:count]
    print(f"| {count} photos of the {arguments.split} part | mean accuracy |\n|---|---|")
    for name, damage in DAMAGES.items():
        random = np.random.default_rng(0)
        damaged = (np.asarray(damage(photo, random)) for photo in photos)
        present = np.array(
            [face.probabilities >= face.thresholds for face in model.stream(damaged, aligned=True, batch=CHUNK)]
        )
        known = labels != 0
        right = ((present == (labels > 0)) & known).sum(0) / known.sum(0)
        print(f"| {name} | {100 * right.mean():.2f} % |", flush=True)


if __name__ == "__main__":
    main()

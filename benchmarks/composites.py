"""Large photos with a CelebA face in each: turned, enlarged or reduced, at a random place of a generated ground."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

TEMPLATE = np.array([(69.4, 111.2), (107.6, 111.1), (88.1, 135.0), (71.2, 152.0), (105.5, 152.2)])
"""Where the landmarks lie in CelebA's aligned images of 178 x 218 pixels, on average."""

DETECTED = np.array([(70.1, 112.3), (109.1, 112.3), (88.9, 136.2), (72.1, 153.8), (106.8, 153.7)])
"""Where MTCNN finds them there; `detection.py --parts template` measures it."""

SCALES = (0.7, 4.0)
DEGREES = 20.0
TRAIN, TEST = "0", "2"
"""The parts in list_eval_partition.txt."""


@dataclass(frozen=True)
class Composite:
    """A photo with one face.

    Attributes:
        pixels: HxWx3 bytes.
        face: the face's own image, as CelebA has it.
        name: of its file.
        labels: 1 and -1, in CelebA's order.
        landmarks: 5x2, where the face's landmarks are in the photo, on average over faces.
    """

    pixels: np.ndarray
    face: np.ndarray
    name: str
    labels: np.ndarray
    landmarks: np.ndarray

    @property
    def eyes(self) -> float:
        """Pixels between the eyes."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))


def composites(celeba: Path, count: int, seed: int = 1) -> list[Composite]:
    """`count` photos with test images of a CelebA folder; the same seed gives the same photos."""
    labels = _labels(celeba)
    random = np.random.default_rng(seed)
    chosen = random.permutation(part_of(celeba, TEST))[:count]
    return [_composite(celeba, str(name), labels[str(name)], random) for name in chosen]


def part_of(celeba: Path, part: str) -> list[str]:
    """The names of one part's images, in order."""
    rows = (line.split() for line in (celeba / "list_eval_partition.txt").read_text().splitlines() if line.strip())
    return sorted(name for name, number in rows if number == part)


def matches(composite: Composite, landmarks: np.ndarray) -> bool:
    """Whether five points are those of the composite's face: near it, by the distance of its eyes, and of its size."""
    distance = np.hypot(*(landmarks.mean(0) - composite.landmarks.mean(0)))
    size = np.hypot(*(landmarks[1] - landmarks[0])) / composite.eyes
    return bool(distance < 0.5 * composite.eyes and 0.6 < size < 1.6)


def _labels(celeba: Path) -> dict[str, np.ndarray]:
    rows = (celeba / "list_attr_celeba.txt").read_text().splitlines()[2:]
    parts = (row.split() for row in rows if row.strip())
    return {name: np.array(values, dtype=np.int8) for name, *values in parts}


def _composite(celeba: Path, name: str, labels: np.ndarray, random: np.random.Generator) -> Composite:
    face = np.asarray(Image.open(celeba / "img_align_celeba" / name).convert("RGB"))
    scale = float(np.exp(random.uniform(*np.log(SCALES))))
    photo, landmarks = paste(face, scale, random.uniform(-DEGREES, DEGREES), random)
    return Composite(photo, face, name, labels, landmarks)


def paste(face: np.ndarray, scale: float, degrees: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A photo with the face at a random place, and where its landmarks are on average, 5x2."""
    angle = np.deg2rad(degrees)
    height, width = face.shape[:2]
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    # The turned image fits into a square of its diagonal.
    reach = scale * np.hypot(width, height) / 2 + 2
    size = np.maximum(random.integers((480, 360), (1281, 961)), int(2 * reach) + 2)
    place = np.array([random.uniform(reach, side - 1 - reach) for side in size])

    ground = _ground(*size, random)
    inverse = np.linalg.inv(turn)
    shift = centre - inverse @ place
    coefficients = (*inverse[0], shift[0], *inverse[1], shift[1])
    picture = Image.fromarray(face)
    if scale < 1:  # reduce by an antialiased filter first, as a camera does
        reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = picture.resize(reduced, Image.Resampling.BILINEAR)
        across, down = np.array(reduced) / (width, height)
        a, b, c, d, e, f = coefficients
        row = (a * across, b * across, (c + 0.5) * across - 0.5)
        coefficients = (*row, d * down, e * down, (f + 0.5) * down - 0.5)
    # Pillow samples at x + 0.5 and takes 0.5 off again.
    a, b, c, d, e, f = coefficients
    pillow = (a, b, c + 0.5 - 0.5 * (a + b), d, e, f + 0.5 - 0.5 * (d + e))
    mask = Image.new("L", picture.size, 255)
    arguments = (tuple(int(side) for side in size), Image.Transform.AFFINE, pillow, Image.Resampling.BICUBIC)
    photo = Image.fromarray(ground)
    photo.paste(picture.transform(*arguments), (0, 0), mask.transform(*arguments))
    landmarks = (TEMPLATE * (width / 178, height / 218) - centre) @ turn.T + place
    return np.asarray(photo), landmarks


def _ground(width: int, height: int, random: np.random.Generator) -> np.ndarray:
    """Blurred blotches of several sizes, straight edges and grain: much that is no face."""
    ground = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((4, 90.0), (12, 50.0), (40, 30.0)):
        coarse = random.uniform(0, 255, (cells, cells, 3)).astype(np.uint8)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        ground += (np.asarray(smooth, np.float32) - 127.5) * strength / 127.5
    for _ in range(12):
        left, top = random.integers(0, width), random.integers(0, height)
        right, bottom = left + random.integers(20, width // 2), top + random.integers(20, height // 2)
        ground[top:bottom, left:right] += random.uniform(-50, 50, 3)
    ground += random.normal(0, 5, ground.shape)
    return np.clip(ground + 120, 0, 255).astype(np.uint8)

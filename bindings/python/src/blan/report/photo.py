"""Photos as data URIs: small files as they are, anything else reduced."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from ..images import Photo, read_image
from . import png

_EMBEDDED_BYTES = 200_000
"""A file up to this size is embedded unchanged."""

_REDUCED_SIDE = 384
"""Longer side of a photo that is not."""

_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}


@dataclass(frozen=True)
class Embedded:
    """A photo for a page.

    Attributes:
        uri: holds the picture.
        width, height: of the upright photo in pixels.
    """

    uri: str
    width: int
    height: int


def embed(photo: Photo) -> Embedded:
    """A photo as a page can show it. Raises what `read_image` does."""
    pixels = read_image(photo)
    height, width = pixels.shape[:2]
    encoded = _encoded(photo)
    if encoded is None or len(encoded) > _EMBEDDED_BYTES:
        return embed_pixels(pixels)
    kind = next(kind for magic, kind in _KINDS.items() if encoded.startswith(magic))
    return Embedded(png.data_uri(encoded, kind), width, height)


def embed_pixels(pixels: np.ndarray) -> Embedded:
    """Pixels in RGB as a page can show them."""
    height, width = pixels.shape[:2]
    return Embedded(png.data_uri(png.encode(_reduce(pixels))), width, height)


def _encoded(photo: Photo) -> bytes | None:
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, (str, os.PathLike)):
        if os.path.getsize(photo) > _EMBEDDED_BYTES:
            return None
        with open(photo, "rb") as file:
            return file.read()
    return None


def _reduce(pixels: np.ndarray) -> np.ndarray:
    """Averages whole blocks of pixels until the longer side fits."""
    factor = -(-max(pixels.shape[:2]) // _REDUCED_SIDE)
    if factor == 1 or min(pixels.shape[:2]) < factor:
        return pixels
    height, width = (side // factor * factor for side in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    return blocks.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8)

"""A PNG writer of a few lines: the pages' maps and thumbnails need no imaging library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_COLOR_TYPE = {3: 2, 4: 6}
"""PNG's number for RGB and RGBA."""


def encode(pixels: np.ndarray) -> bytes:
    """A PNG file of HxWx3 or HxWx4 pixels of uint8."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)  # each begins with filter type 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPE[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_uri(image: bytes, kind: str = "image/png") -> str:
    """An encoded image as a URI that holds it."""
    return f"data:{kind};base64,{base64.b64encode(image).decode()}"

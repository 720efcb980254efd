"""Fixtures of images: small files of every kind that is read, and the upright RGB pixels that Pillow makes of them.

images/<name>.jpg and .png are the files. images/expected.safetensors has a tensor [height, width, 3] of bytes for each,
by its file name, and resized.<width>x<height> for the photo photo.png, resized by Pillow's BILINEAR.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from . import streams
from .files import save_sorted

SIZES = ((128, 128), (64, 64), (32, 32), (61, 47), (16, 90), (200, 30), (5, 3), (1, 1))
ORIENTATION = 0x0112


def photo(width, height, channels=3, seed=1):
    """Smooth shapes with some grain, as a photo has: [height, width, channels] bytes."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for channel in range(channels):
        wave = np.sin(x / (3 + channel) + seed) + np.cos(y / (4 + 2 * channel)) + (x > y + 3 * channel)
        grain = streams.uniform(seed, f"grain {channel}", width * height).reshape(height, width)
        planes.append(60 * wave + 110 + 20 * grain)
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def chunk(name, content):
    """One chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png16(values, colour):
    """A 16-bit PNG of big-endian samples [height, width, channels]; Pillow cannot write most of them."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def encoded(image, kind, **options):
    """An image as a file's bytes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def files():
    """File names and contents."""
    rgb = Image.fromarray(photo(24, 16))
    result = {"photo.png": encoded(Image.fromarray(photo(61, 47)), "PNG")}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        result[f"orientation-{orientation}.jpg"] = encoded(rgb, "JPEG", exif=exif, quality=90)
    for orientation in (3, 6):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        result[f"orientation-{orientation}.png"] = encoded(rgb, "PNG", exif=exif)
    result["grey.jpg"] = encoded(rgb.convert("L"), "JPEG")
    result["progressive.jpg"] = encoded(rgb, "JPEG", progressive=True, quality=80)
    result["subsampled.jpg"] = encoded(Image.fromarray(photo(33, 21)), "JPEG", subsampling="4:2:0")
    result["unsampled.jpg"] = encoded(Image.fromarray(photo(33, 21)), "JPEG", subsampling="4:4:4")
    result["cmyk.jpg"] = encoded(Image.fromarray(photo(24, 16, 4), "CMYK"), "JPEG", quality=95)
    result["rgb.png"] = encoded(rgb, "PNG")
    result["rgba.png"] = encoded(Image.fromarray(photo(24, 16, 4)), "PNG")
    result["grey.png"] = encoded(rgb.convert("L"), "PNG")
    result["grey-alpha.png"] = encoded(Image.fromarray(photo(24, 16, 2)), "PNG")
    result["palette.png"] = encoded(rgb.quantize(23), "PNG")
    result["palette-4.png"] = encoded(rgb.quantize(4), "PNG")
    transparent = rgb.quantize(16)
    result["palette-transparent.png"] = encoded(transparent, "PNG", transparency=3)
    result["one-bit.png"] = encoded(rgb.convert("1"), "PNG")
    deep = (photo(24, 16, 4).astype(np.uint32) * 257 + 128).clip(0, 65535)
    result["grey-16.png"] = png16(deep[..., :1], 0)
    result["rgb-16.png"] = png16(deep[..., :3], 2)
    result["grey-alpha-16.png"] = png16(deep[..., :2], 4)
    result["rgba-16.png"] = png16(deep, 6)
    return result, deep


def upright(content):
    """What Pillow shows of a file."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


def write(folder):
    """Writes the files and what they show."""
    folder.mkdir(exist_ok=True)
    contents, deep = files()
    expected = {name: upright(content) for name, content in contents.items()}
    # Pillow clips 16-bit grey to 255 where it reduces 16-bit colour to its high byte; libblan reduces both alike.
    for name, channel in (("grey-16.png", 0), ("grey-alpha-16.png", 0)):
        expected[name] = np.repeat((deep[..., channel : channel + 1] >> 8).astype(np.uint8), 3, axis=2)
    photograph = Image.fromarray(photo(61, 47))
    for size in SIZES:
        expected["resized.{}x{}".format(*size)] = np.asarray(photograph.resize(size, Image.Resampling.BILINEAR))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    save_sorted(folder / "expected.safetensors", expected, {})
    print(f"{len(contents)} images, {len(SIZES)} sizes")

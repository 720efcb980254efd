"""Files of every orientation and mode are read as Pillow converts them."""

from __future__ import annotations

import io

import blan
import numpy as np
import pytest
from PIL import Image, ImageOps


@pytest.fixture(scope="module")
def picture():
    """A smooth picture that is not square and has no symmetry."""
    y, x = np.mgrid[0:60, 0:44]
    channels = [4 * x + y, 3 * y + 20, 255 - 2 * x - 2 * y]
    return Image.fromarray(np.stack(channels, axis=2).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation(model, picture, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture, kind, exif=exif)
    pixels = blan.read_image(data)
    assert pixels.shape == ((44, 60, 3) if orientation >= 5 else (60, 44, 3))
    assert np.abs(pixels - by_pillow(data)).max() <= (1 if kind == "JPEG" else 0)
    by_bytes = model.predict(data, scores=True, aligned=True).scores
    assert np.array_equal(by_bytes, model.predict(pixels, scores=True, aligned=True).scores)


def test_orientation_is_applied_to_pil_images(model, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture, "PNG", exif=exif)
    opened = model.predict(Image.open(io.BytesIO(data)), scores=True, aligned=True).scores
    assert np.array_equal(opened, model.predict(data, scores=True, aligned=True).scores)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_png_modes(model, picture, mode):
    data = encoded(picture.convert(mode), "PNG")
    pixels = blan.read_image(data)
    assert np.array_equal(pixels, by_pillow(data))
    by_bytes = model.predict(data, scores=True, aligned=True).scores
    assert np.array_equal(by_bytes, model.predict(Image.open(io.BytesIO(data)), scores=True, aligned=True).scores)


def test_png_palette_with_transparency(picture):
    data = encoded(picture.convert("P"), "PNG", transparency=3)
    assert np.array_equal(blan.read_image(data), by_pillow(data))


def test_png_of_sixteen_bits(picture):
    gray = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    data = encoded(Image.fromarray(gray), "PNG")
    pixels = blan.read_image(data)
    assert np.abs(pixels[:, :, 0].astype(int) - gray // 257).max() <= 1
    assert np.array_equal(pixels[:, :, 0], pixels[:, :, 2])


@pytest.mark.parametrize("orientation", [1, 6])
def test_pil_images_of_sixteen_bits_are_scaled_as_files_are(model, tmp_path, orientation):
    gray = np.array([[0, 255, 256, 300], [32895, 32896, 65279, 65535]], np.uint16).repeat(8, 0).repeat(8, 1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "sixteen.png"
    Image.fromarray(gray).save(path, exif=exif)
    pixels = blan.read_image(path)
    assert set(pixels.ravel().tolist()) == {0, 1, 128, 254, 255}
    expected = model.predict(path, scores=True, aligned=True).scores
    with Image.open(path) as image:
        assert image.mode == "I;16"
        as_integers = image.convert("I")  # the mode that older versions of Pillow open such files in
        as_integers.format = "PNG"
        as_integers.getexif()[0x0112] = orientation
        for form in (image, as_integers):
            assert np.array_equal(blan.read_image(form), pixels)
            assert np.array_equal(model.predict(form, scores=True, aligned=True).scores, expected)


@pytest.mark.parametrize(("mode", "order"), [("I;16L", "<"), ("I;16B", ">")])
def test_sixteen_bits_in_any_order_of_bytes(mode, order):
    gray = np.arange(0, 65536, 97, dtype=f"{order}u2")[:600].reshape(20, 30)
    image = Image.frombytes(mode, (30, 20), gray.tobytes())
    assert np.array_equal(blan.read_image(image)[:, :, 0], gray // 256)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_modes(picture, mode, progressive):
    data = encoded(picture.convert(mode), "JPEG", quality=90, progressive=progressive)
    assert np.abs(blan.read_image(data) - by_pillow(data)).max() <= 1


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_subsampling(picture, subsampling):
    data = encoded(picture, "JPEG", quality=90, subsampling=subsampling)
    assert np.abs(blan.read_image(data) - by_pillow(data)).max() <= 1

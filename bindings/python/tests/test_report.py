"""The HTML page about faces."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import blan
import numpy as np
import pytest
from blan.report import heat, png
from PIL import Image


@pytest.fixture(scope="module")
def page(model, photo, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "page.html"
    predictions = model.predict([photo, "gone <b>.jpg"], attention=True, on_error="keep", aligned=True)
    blan.write_report(path, predictions, model)
    return path.read_text(encoding="utf-8")


class Balance(HTMLParser):
    """Checks that every element that is opened is closed in order."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_elements_are_balanced(page):
    balance = Balance()
    balance.feed(page)
    assert balance.open == []


def test_every_attribute_has_its_value(page, model, photo):
    for name, probability in model.predict(photo, aligned=True).ranked():
        pattern = f'<span class="name">{name.replace("_", " ")}</span>.*?<span class="value">([0-9.]+)'
        assert float(re.search(pattern, page, re.DOTALL)[1]) == pytest.approx(100 * probability, abs=0.051)


def test_present_and_absent_are_told_apart(page, model, photo):
    count = len(model.predict(photo, aligned=True).attributes)
    assert re.findall(r"<h3>(.*?) <small>(\d+)", page) == [
        ("Present", str(count)),
        ("Not present", str(len(model.names) - count)),
    ]


def test_nothing_is_loaded_from_elsewhere(page):
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(['"]?([^'")]*)""", page)
    assert addresses
    assert all((first or second).startswith("data:image/") for first, second in addresses)
    assert "<script" not in page and "default-src 'none'" in page


def test_the_photo_is_embedded_unchanged(page, photo):
    data = re.search(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)[1]
    assert base64.b64decode(data) == photo.read_bytes()


def test_one_map_a_level(page):
    maps = re.findall(r'<img src="data:image/png;base64,([A-Za-z0-9+/=]+)"', page)
    assert len(maps) == 3
    assert all(Image.open(io.BytesIO(base64.b64decode(data))).mode == "RGBA" for data in maps)
    assert re.findall(r"Spatial attention of level (\d), (\d+) by", page) == [("1", "16"), ("2", "8"), ("3", "4")]


def test_a_failed_photo_is_listed_and_escaped(page):
    assert "1 photo could not be read" in page
    assert "gone &lt;b&gt;.jpg" in page and "gone <b>.jpg" not in page


def test_untrained_is_said(page):
    assert 'class="warning"' in page and "not trained" in page


def test_photos_from_memory(model, faces, tmp_path):
    large = np.tile(faces[0], (10, 10, 1))
    predictions = model.predict([large], aligned=True)
    blan.write_report(tmp_path / "page.html", predictions, model, photos=[large])
    page = (tmp_path / "page.html").read_text()
    data = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)[1]
    width, height = Image.open(io.BytesIO(base64.b64decode(data))).size
    assert max(width, height) <= 384
    assert width / height == pytest.approx(890 / 1090, abs=0.01)
    assert "level 1" not in page


def test_an_unwritable_page(model, photo, tmp_path):
    with pytest.raises(blan.FileError, match="nowhere"):
        blan.write_report(tmp_path / "nowhere" / "page.html", [model.predict(photo, aligned=True)], model)


def test_png_writer_is_read_back_by_pillow():
    random = np.random.default_rng(1)
    for shape in ((3, 5, 3), (8, 2, 4)):
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png.encode(pixels)))), pixels)


def test_overlay_grows_with_attention():
    attention = np.linspace(0.2, 0.9, 16, dtype=np.float32).reshape(4, 4)
    data = heat.overlay(attention).removeprefix("data:image/png;base64,")
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))[:, :, 3].astype(int)
    assert alpha[0, 0] < alpha[-1, 0] < alpha[-1, -1]
    constant = heat.overlay(np.full((4, 4), 0.5, dtype=np.float32)).removeprefix("data:image/png;base64,")
    assert np.ptp(np.asarray(Image.open(io.BytesIO(base64.b64decode(constant))))[:, :, 3].astype(int)) == 0

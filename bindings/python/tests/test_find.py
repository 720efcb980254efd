"""`blan.Index`: conditions mean what they say and nothing more, likeness, and the contact sheet."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys

import blan
import numpy as np
import pytest
from blan.cli.app import app
from blan.report import png
from conftest import chromium
from playwright.sync_api import sync_playwright
from settled import settle
from typer.testing import CliRunner

ATTRIBUTES = (
    "Smiling",
    "smiling",
    "5_o_Clock_Shadow",
    'With "quotes" and spaces',
    "Bärtig",
    "path",
    "a-b; drop table faces --",
    "select",
    "1e3",
    "Young",
)


@pytest.fixture(scope="module")
def odd_model(tmp_path_factory):
    """A model whose attributes have names that SQL would stumble over."""
    path = tmp_path_factory.mktemp("models") / "odd.safetensors"
    blan.init(path, width=8, input_size=64, seed=5, attributes=ATTRIBUTES)
    settle(path, 5)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory, odd_model, photo):
    """An index of 24 aligned crops that are all different."""
    folder = tmp_path_factory.mktemp("photos")
    face, random = blan.read_image(photo).astype(int), np.random.default_rng(1)
    for number in range(24):
        changed = face * random.uniform(0.3, 1.6, 3) + random.normal(0, 40, (1, face.shape[1], 1))
        (folder / f"{number:02}.png").write_bytes(png.encode(np.clip(changed, 0, 255).astype(np.uint8)))
    (folder / "broken.png").write_bytes(b"")
    path = tmp_path_factory.mktemp("index") / "index.parquet"
    blan.index(folder, path, model=odd_model, aligned=True)
    return path


@pytest.fixture
def index(made):
    with blan.Index(made) as index:
        yield index


@pytest.fixture(scope="module")
def table(made):
    """What each photo was predicted to be, by name."""
    with blan.Index(made) as index:
        return {os.path.basename(face.path): face.prediction for face in index.find()}


def names(found):
    return sorted(os.path.basename(face.path) for face in found)


@pytest.fixture(scope="module")
def middle(table):
    """The median probability of each attribute."""
    return {name: float(np.median([prediction[name] for prediction in table.values()])) for name in ATTRIBUTES}


def test_without_a_condition_every_face_comes(index, odd_model):
    found = index.find(embeddings=True)
    assert len(found) == 24 and [face.number for face in found] == [1] * 24
    model = blan.load(odd_model)
    for face in found[:3]:
        wanted = model.predict(face.path, aligned=True, embeddings=True)
        np.testing.assert_allclose(face.prediction.probabilities, wanted.probabilities, atol=1e-6)
        np.testing.assert_allclose(face.embedding, wanted.embeddings.ravel(), rtol=1e-5, atol=1e-5)
        assert face.prediction.face is None and face.similarity is None
    assert index.counts() == {"photos": 25, "faces": 24, "without_face": 0, "unreadable": 1}
    assert index.names == ATTRIBUTES and not index.trained


def conditions(m):
    """Conditions, and what Python says of a prediction."""
    s, y = m["Smiling"], m["Young"]
    return [
        (f"Smiling > {s:.9f}", lambda p: p["Smiling"] > s),
        (f"smiling > {m['smiling']:.9f}", lambda p: p["smiling"] > m["smiling"]),
        ("Young", lambda p: "Young" in p.attributes),
        ("not Young", lambda p: "Young" not in p.attributes),
        ("not not YOUNG", lambda p: "Young" in p.attributes),
        (
            f"Young <= {y:.9f} AND Smiling or Bärtig",
            lambda p: (p["Young"] <= y and "Smiling" in p.attributes) or "Bärtig" in p.attributes,
        ),
        (
            f"Young <= {y:.9f} and (Smiling or Bärtig)",
            lambda p: p["Young"] <= y and ("Smiling" in p.attributes or "Bärtig" in p.attributes),
        ),
        (f"5_o_Clock_Shadow >= {m['5_o_Clock_Shadow']:.9f}", lambda p: p["5_o_Clock_Shadow"] >= m["5_o_Clock_Shadow"]),
        ('"5 o clock shadow"', lambda p: "5_o_Clock_Shadow" in p.attributes),
        ('"With ""quotes"" and spaces"', lambda p: ATTRIBUTES[3] in p.attributes),
        ('`With "quotes" and spaces`', lambda p: ATTRIBUTES[3] in p.attributes),
        ('"a-b; drop table faces --"', lambda p: ATTRIBUTES[6] in p.attributes),
        ("select", lambda p: "select" in p.attributes),
        ('"1e3"', lambda p: "1e3" in p.attributes),
        ("path", lambda p: "path" in p.attributes),
        (f"Young between 0 and {y:.9f}", lambda p: 0 <= p["Young"] <= y),
        (f"Young not between 0 and {y:.9f}", lambda p: p["Young"] > y),
        ("Smiling - Young > 0", lambda p: p["Smiling"] > p["Young"]),
        ("min(Smiling, Young) > .4 * 1e0", lambda p: min(p["Smiling"], p["Young"]) > 0.4),
        ("max(Smiling, Young, 0.9) = 0.9", lambda p: max(p["Smiling"], p["Young"]) <= 0.9),
        ("abs(Smiling - Young) < 0.2", lambda p: abs(p["Smiling"] - p["Young"]) < 0.2),
        ("(Smiling > 0.5) = Young", lambda p: (p["Smiling"] > 0.5) == ("Young" in p.attributes)),
        ("-Young < -0.5 and true", lambda p: p["Young"] > 0.5),
        ("face in (1, 2) and face not in (3)", lambda p: True),
        ("false", lambda p: False),
    ]


@pytest.mark.parametrize("number", range(25))
def test_conditions_mean_what_they_say(index, table, middle, number):
    text, wanted = conditions(middle)[number]
    assert names(index.find(text)) == sorted(name for name, prediction in table.items() if wanted(prediction))


def test_conditions_tell_faces_apart(index, middle):
    assert len(conditions(middle)) == 25
    counts = [len(index.find(text)) for text, _ in conditions(middle)]
    assert sum(0 < count < 24 for count in counts) >= 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Smiling > 0.5; drop table faces", "';' is not understood"),
        ("Smiling > 0.5 -- comment", "no attribute 'comment'"),
        ("Smiling > 0.5 /* */", "expected an attribute"),
        ("1 = 1) union select * from faces", "expected the end"),
        ("(select 1)", "expected ')'"),
        ("read_csv('/etc/passwd')", "no attribute 'read_csv'"),
        ("faces", "no attribute 'faces'"),
        ("Smilling", "do you mean Smiling?"),
        ("SMILING", "may be 'Smiling' or 'smiling'"),
        ("", "expected an attribute"),
        ("Young and", "expected an attribute"),
        ("Young Smiling", "expected the end"),
        ("Young and 0.5", "expected a condition"),
        ("0.1 < Young < 0.9", "joined by `and`"),
        ("Young > 'x'", "expected a text"),
        ("size in (1, 'a')", "expected a number"),
        ("size like 'a'", "expected a text"),
        ("not size > 1 > 2", "joined by `and`"),
        ("Young not 1", "expected `between`"),
        ("similarity > 0.5", "no attribute 'similarity'"),
        ("abs(Young, Smiling) > 0", "abs takes one"),
        ("Young > 0.5 and 'open", "is not understood"),
        ("(" * 500, "brackets"),
        ("Young or " * 2000 + "Young", "at most 10000"),
        ("Young > 0.5 \x00", "is not understood"),
    ],
)
def test_anything_else_is_refused(index, text, message):
    with pytest.raises(blan.InvalidArgumentError, match=re.escape(message)):
        index.find(text)
    assert len(index.find()) == 24


def test_long_conditions_are_read(index, table):
    text = "not " * 1000 + "Young or " + "face = 2 or " * 400 + "false"
    assert names(index.find(text)) == sorted(n for n, p in table.items() if "Young" in p.attributes)


def test_sort_and_limit(index, table):
    found = index.find(sort="Young - Smiling", limit=5)
    wanted = sorted(table.values(), key=lambda p: p["Smiling"] - p["Young"])[:5]
    assert [face.path for face in found] == [p.source for p in wanted]
    assert index.find(limit=0) == []
    with pytest.raises(blan.InvalidArgumentError, match="limit"):
        index.find(limit=-1)
    with pytest.raises(blan.InvalidArgumentError, match="expected a number"):
        index.find(sort="Young > 0.5")


def test_two_searches_at_once(index):
    first, second = index.iterate("Young"), index.iterate("not Young")
    together = [next(first), next(second), *first, *second]
    assert len({face.path for face in together}) == 24


def test_likeness(index, odd_model, table):
    like = next(iter(table.values())).source
    found = index.find(like=like, where="similarity > -2", embeddings=True)
    assert found[0].path == like and found[0].similarity == pytest.approx(1, abs=1e-5)
    own = blan.load(odd_model).predict(like, aligned=True, embeddings=True).embeddings.ravel()
    for face in found:
        cosine = own @ face.embedding / np.linalg.norm(own) / np.linalg.norm(face.embedding)
        assert face.similarity == pytest.approx(cosine, abs=1e-4)
    assert [f.similarity for f in found] == sorted((f.similarity for f in found), reverse=True) and len(found) == 24
    nearest = index.find(like=blan.read_image(like), limit=3)
    assert [face.path for face in nearest] == [face.path for face in found[:3]]


def test_likeness_wants_the_same_model(made, odd_model, model_path, tmp_path, photo):
    moved = tmp_path / "moved.safetensors"
    shutil.copy(odd_model, moved)
    with blan.Index(made, model=moved) as index:
        assert len(index.find(like=photo, limit=2)) == 2
    with blan.Index(made, model=model_path) as index, pytest.raises(blan.InvalidArgumentError, match="not the model"):
        index.find(like=photo)
    with blan.Index(made) as index, pytest.raises(blan.FileError):
        index.find(like="nowhere.jpg")


def test_whole_photos(tmp_path, whole_photo, model_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(whole_photo, folder / "a.jpg")
    (folder / "empty.png").write_bytes(png.encode(np.full((80, 80, 3), 128, np.uint8)))
    done = blan.index(folder, tmp_path / "index.parquet", model=model_path)
    with blan.Index(done.path) as index:
        (face,) = index.find("score > 0.9 and width > 50 and height > width and path = 'a.jpg'", like=whole_photo)
        (wanted,) = blan.load(model_path).predict(folder / "a.jpg")
        assert face.similarity == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(face.prediction.face.box, wanted.face.box, atol=1e-3)
        np.testing.assert_allclose(face.prediction.face.landmarks, wanted.face.landmarks, atol=1e-3)
        with pytest.raises(blan.InvalidArgumentError, match="no face found"):
            index.find(like=folder / "empty.png")
        assert index.counts()["without_face"] == 1


def test_what_is_no_index_is_said(tmp_path):
    with pytest.raises(blan.FileError, match="no such file"):
        blan.Index(tmp_path / "nowhere.parquet")
    (tmp_path / "text.parquet").write_text("no index")
    with pytest.raises(blan.FormatError, match="not a Parquet file"):
        blan.Index(tmp_path / "text.parquet")


def test_the_extra_is_named_where_it_is_missing(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(blan.UnsupportedError, match=r"blan\[index\]"):
        blan.Index(made)


def run(*arguments):
    return CliRunner().invoke(app, ["find", *map(str, arguments)])


def test_the_command_prints_json_and_csv(made, index):
    wanted = index.find("Young", sort="Young")
    result = run(made, "--where", "Young", "--sort", "Young", "--json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines == [json.loads(json.dumps(face.to_dict())) for face in wanted]
    result = run(made, "--where", "Young", "--sort", "Young", "--csv", "-", "--limit", "3")
    head, *rows = csv.reader(io.StringIO(result.stdout))
    assert head == ["path", "face", "x0", "y0", "x1", "y1", "score", *ATTRIBUTES]
    assert [row[:2] for row in rows] == [[face.path, "1"] for face in wanted[:3]]
    assert float(rows[0][-1]) == pytest.approx(wanted[0].prediction["Young"], abs=1e-6)
    result = run(made, "--where", "Young", "--like", wanted[1].path)
    first = result.stdout.splitlines()[1]
    assert os.path.basename(wanted[1].path) in first and "1.000" in first


def test_the_command_says_what_is_wrong(made):
    result = run(made, "--where", "Yuong")
    assert isinstance(result.exception, blan.InvalidArgumentError) and "Young" in str(result.exception)
    assert run(made, "--json", "--csv", "-").exit_code == 2
    result = run(made, "--where", "false")
    assert result.exit_code == 0 and "0 faces found" in result.stderr


def test_the_contact_sheet_in_a_browser(made, index, tmp_path):
    page = tmp_path / "sheet.html"
    like = index.find(limit=1)[0].path
    result = run(made, "--like", like, "--limit", 6, "--html", page)
    assert result.exit_code == 0 and f"wrote {page}" in result.stderr.replace("\n", "")
    found = index.find(like=like, limit=6)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            tab = browser.new_page(color_scheme=scheme)
            complaints = []
            tab.on("console", lambda message, said=complaints: said.append(message.text))
            tab.goto(page.as_uri())
            cards = tab.locator(".sheet > li")
            assert cards.count() == 6
            links = [cards.nth(i).locator("a").get_attribute("href") for i in range(6)]
            assert links == [f"file://{face.path}" for face in found]
            assert all(tab.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth > 0)"))
            panel = cards.nth(2).locator("aside")
            assert not panel.is_visible()
            cards.nth(2).hover()
            assert panel.is_visible() and not cards.nth(1).locator("aside").is_visible()
            assert panel.locator("li").count() == len(ATTRIBUTES)
            assert "a-b; drop table faces --" in panel.inner_text()
            assert complaints == []
        browser.close()


def test_the_contact_sheet_without_photos_and_without_faces(index, tmp_path):
    page = tmp_path / "sheet.html"
    found = index.find(limit=2)
    gone = [
        blan.Found(face.prediction.__class__(**(vars(face.prediction) | {"source": str(tmp_path / '<&">.jpg')})), 1)
        for face in found
    ]
    blan.write_contact_sheet(page, gone, index, title="<b>", lead="a < b")
    text = page.read_text()
    assert "cannot be read" in text and "&lt;b&gt;" in text and "a &lt; b" in text and "<&" not in text
    blan.write_contact_sheet(page, [], index)
    assert "No face was found" in page.read_text()
    with pytest.raises(blan.FileError, match=r"sheet\.html"):
        blan.write_contact_sheet(tmp_path / "nowhere" / "sheet.html", [], index)

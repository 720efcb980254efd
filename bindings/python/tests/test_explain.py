"""Explanations: Grad-CAM and occlusion from Python, the pictures, the page and the command line."""

from __future__ import annotations

import re
import shutil
import signal

import blan
import numpy as np
import pytest
from blan.cli.app import app
from blan.explanation import drawing
from PIL import Image
from test_report import Balance
from typer.testing import CliRunner

SCORES = ("decision", 1, 2, 3, 4, "sum")
SMALL = {"aligned": True, "patch": 32, "stride": 16}


@pytest.fixture(scope="module")
def bundled():
    return blan.load()


@pytest.fixture(scope="module")
def crop():
    """A picture of the small model's own size: nothing is resized."""
    return np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def margins(model, picture, name):
    """The decision's and the five scores' "present" less "absent"."""
    prediction = model.predict(picture, aligned=True, logits=True, scores=True)
    index = model.names.index(name)
    pairs = np.vstack([prediction.logits[index], prediction.scores[:, index]])
    return pairs[:, 1] - pairs[:, 0]


def test_occlusion_is_the_difference_of_two_predictions(model, crop):
    found = model.explain(
        crop, "Smiling", method="occlusion", scores=SCORES, aligned=True, patch=24, stride=20, fill=(0, 0, 1)
    )
    whole = margins(model, crop, "Smiling")
    np.testing.assert_allclose(found.values[0], whole, rtol=1e-5, atol=1e-5)
    assert (found.patch, found.stride, found.maps[0].shape) == (24, 20, (1, 6, 3, 3))
    for i, row in enumerate((0, 20, 40)):
        for j, column in enumerate((0, 20, 40)):
            covered = crop.copy()
            covered[row : row + 24, column : column + 24] = (0, 0, 255)
            expected = whole - margins(model, covered, "Smiling")
            scale = np.abs(whole).max()
            np.testing.assert_allclose(found.maps[0][0, :, i, j], expected, atol=1e-4 * scale)


def test_gradcam_has_four_maps_that_add_up(model, crop):
    found = model.explain(crop, ["Smiling", "Male"], scores=SCORES, aligned=True)
    assert [level.shape for level in found.maps] == [(2, 6, side, side) for side in (16, 8, 4, 2)]
    np.testing.assert_allclose(found.values[1], margins(model, crop, "Male"), rtol=1e-3, atol=1e-3)
    for level in found.maps:
        assert np.abs(level[:, 0]).max() > 0
        np.testing.assert_allclose(
            level[:, 1:5].sum(axis=1), level[:, 5], rtol=1e-3, atol=1e-4 * np.abs(level[:, 5]).max()
        )
    assert not np.array_equal(found["Smiling"][1], found["Male"][1])


def test_maps_and_values_by_name(model, crop):
    found = model.explain(crop, ("male", "Wavy Hair"), scores=(3, "decision"), aligned=True)
    assert found.attributes == ("Male", "Wavy_Hair") and found.scores == (3, "decision")
    assert len(found["Male"]) == 4
    assert np.array_equal(found.map("male", level=2), found["Male"][1])
    assert np.array_equal(found.map("Wavy_Hair", score="decision"), found.maps[3][1, 1])
    assert found.value("Male") == found.values[0, 0]
    assert "gradcam" in repr(found) and "UNTRAINED" in repr(found)
    for wrong, words in (
        ({"name": "Bald"}, 'no attribute "Bald"'),
        ({"name": "Male", "score": 2}, "score 2 was not explained"),
        ({"name": "Male", "level": 5}, "level is 5; expected 1 to 4"),
    ):
        with pytest.raises(blan.InvalidArgumentError, match=words):
            found.map(**wrong)
    occluded = model.explain(crop, "Male", method="occlusion", **SMALL)
    with pytest.raises(blan.InvalidArgumentError, match="one map"):
        occluded.map("Male", level=1)


@pytest.mark.parametrize(
    ("name", "near"),
    [("Smilling", "Smiling"), ("hair", "Black_Hair"), ("eyeglass", "Eyeglasses"), ("zzz", "5_o_Clock_Shadow.*35 more")],
)
def test_an_unknown_attribute_is_told_its_neighbours(model, crop, name, near):
    with pytest.raises(blan.InvalidArgumentError, match=rf'no attribute "{name}".*{near}'):
        model.explain(crop, ["Smiling", name], aligned=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch": 65}, "patch is 65; expected 1 to 64"),
        ({"patch": -1}, "patch is -1"),
        ({"patch": 2**40}, "patch is"),
        ({"patch": 8, "stride": 9}, "stride is 9; expected 1 to 8"),
        ({"fill": "grey"}, "fill is 'grey'"),
        ({"fill": (1, 2)}, "fill has 2 numbers"),
        ({"fill": (0, 0, 2)}, "color"),
        ({"scores": (5,)}, "5 is no score"),
        ({"scores": ()}, "no score"),
        ({"method": "lime"}, "method is 'lime'"),
        ({"attributes": ()}, "no attribute to explain"),
        ({"detector": object()}, "one or the other"),
    ],
)
def test_options_are_checked(model, crop, options, words):
    with pytest.raises(blan.InvalidArgumentError, match=words):
        model.explain(crop, **({"attributes": "Male", "method": "occlusion", "aligned": True} | options))


@pytest.mark.parametrize("method", ["gradcam", "occlusion"])
def test_progress_and_stopping(model, crop, method):
    steps = []
    options = {"method": method, "scores": SCORES, **SMALL}
    model.explain(crop, ["Male", "Bald"], on_progress=lambda *step: steps.append(step), **options)
    assert steps[-1] == ((12, 12) if method == "gradcam" else (9, 9))
    with pytest.raises(blan.CancelledError):
        model.explain(crop, ["Male"], on_progress=lambda done, count: False, **options)

    def fail(_done, _count):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        model.explain(crop, ["Male"], on_progress=fail, **options)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.explain(crop, "Male", on_progress=lambda *_: signal.raise_signal(signal.SIGINT), **options)
    finally:
        signal.signal(signal.SIGINT, before)


def test_models_from_bytes_and_changed_files(model, model_path, crop, tmp_path):
    content = model_path.read_bytes()
    expected = model.explain(crop, "Male", aligned=True)
    from_bytes = blan.load(content)
    assert from_bytes.explain(crop, "Male", method="occlusion", **SMALL).maps[0].shape == (1, 1, 3, 3)
    with pytest.raises(blan.InvalidArgumentError, match="pass explainer="):
        from_bytes.explain(crop, "Male", aligned=True)
    given = from_bytes.explain(crop, "Male", aligned=True, explainer=blan.Explainer(content))
    assert np.array_equal(given.maps[0], expected.maps[0])

    blan.init(tmp_path / "other.safetensors", width=4, input_size=96)
    with pytest.raises(blan.ShapeError, match="96 pixels; the model's has 64"):
        model.explain(crop, "Male", aligned=True, explainer=blan.Explainer(tmp_path / "other.safetensors"))

    path = tmp_path / "model.safetensors"
    shutil.copy(model_path, path)
    replaced = blan.load(path)
    blan.init(path, width=4, input_size=64)
    with pytest.raises(blan.FileError, match="has changed"):
        replaced.explain(crop, "Male", aligned=True)
    replaced.close()
    with pytest.raises(blan.InvalidArgumentError, match="closed"):
        replaced.explain(crop, "Male", aligned=True)


def test_faces_of_a_whole_photo(bundled, whole_photo):
    [found] = bundled.explain(whole_photo, "Smiling", method="occlusion")
    assert found.source == str(whole_photo) and found.crop.shape == (218, 178, 3)
    # The middle of the mouth in the frame, and where the detector has it in the photo.
    np.testing.assert_allclose(found.frame @ (88.4, 152.1, 1), found.face.landmarks[3:].mean(axis=0), atol=2)
    # A smile is seen at the mouth: hiding it is what costs the score most.
    values = found.pixels("Smiling")
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert 120 < row < 185 and 55 < column < 122
    photo = blan.read_image(whole_photo)
    drawn = found.overlay("Smiling", photo=whole_photo)
    x, y = found.frame @ (column, row, 1)
    place = drawn[round(y), round(x)].astype(int)
    assert drawn.shape == photo.shape and place[0] > place[2] + 60
    assert np.array_equal(drawn[-1], photo[-1])  # far from the face
    assert found.overlay("Smiling").shape == found.crop.shape


def test_no_face_is_an_empty_list(bundled):
    assert bundled.explain(np.zeros((80, 80, 3), np.uint8), "Smiling") == []


def test_a_crop_has_no_place_in_a_photo(model, crop):
    found = model.explain(crop, "Male", aligned=True)
    assert found.overlay("Male", level=1).shape == (64, 64, 3)
    with pytest.raises(blan.InvalidArgumentError, match="not known"):
        found.overlay("Male", photo=crop)


def test_spread_gives_a_pixel_the_mean_of_its_patches():
    cells = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    spread = drawing.spread(cells, patch=3, stride=2, size=5)
    np.testing.assert_allclose(spread[0], [1, 1, 1.5, 2, 2])
    np.testing.assert_allclose(spread[2], [2, 2, 2.5, 3, 3])


def test_colors_tell_the_sign():
    picture = np.full((4, 8, 3), 128, dtype=np.uint8)
    drawn = blan.overlay(picture, np.array([[-1.0, 1.0]])).astype(int)
    assert drawn[0, 0, 2] > drawn[0, 0, 0] + 60 and drawn[0, -1, 0] > drawn[0, -1, 2] + 60
    assert np.array_equal(blan.overlay(picture, np.zeros((2, 2))), picture)
    weak = blan.overlay(picture, np.ones((1, 1)), scale=10.0).astype(int)
    assert 0 < weak[0, 0, 0] - weak[0, 0, 2] < 40
    with pytest.raises(blan.ShapeError):
        blan.overlay(picture, np.zeros(3))


def test_a_map_is_drawn_where_the_frame_lies():
    frame = np.array([(0.0, -2.0, 30.0), (2.0, 0.0, 10.0)])  # turned by a quarter, enlarged by two
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    drawn = drawing.onto_photo(values, frame, 40, 50)
    for row in range(3):
        for column in range(4):
            x, y = frame @ (column, row, 1)
            assert drawn[int(y), int(x)] == values[row, column]
    assert np.isfinite(drawn).sum() == 48
    assert np.isnan(drawing.onto_photo(values, np.array([(0.0, -2.0, 530.0), (2.0, 0.0, 10.0)]), 40, 50)).all()


@pytest.fixture(scope="module")
def page(bundled, whole_photo, tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "page.html"
    names = ["Smiling", "Wavy_Hair"]
    options = {"scores": ("decision", 1, 2, 3, 4)}
    gradcam = bundled.explain(whole_photo, names, **options)
    occlusion = bundled.explain(whole_photo, names, method="occlusion", patch=32, stride=16, **options)
    faces = bundled.predict(whole_photo, attention=True)
    blan.write_explanation(path, gradcam, occlusion, faces, bundled, whole_photo)
    return path.read_text(encoding="utf-8")


def test_the_page_is_whole(page):
    balance = Balance()
    balance.handle_startendtag = lambda tag, attrs: None  # SVG's empty elements
    balance.feed(page)
    assert balance.open == []
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(['"]?([^'")]*)""", page)
    assert all((first or second).startswith("data:image/") for first, second in addresses)
    assert "<script" not in page and 'class="warning"' not in page


def test_the_page_has_every_map(page):
    for name in ("Smiling", "Wavy Hair"):
        for level in range(1, 5):
            assert page.count(f"Grad-CAM of the decision about {name} at level {level}") == 1
            assert page.count(f"Grad-CAM of classifier {level} on {name}") == 1
            assert page.count(f"Occlusion of classifier {level} about {name}") == 1
        assert page.count(f"Occlusion of the decision about {name}") == 1
        assert page.count(f"The photo with the occlusion map of {name} on the face") == 1
    assert page.count("Spatial attention of level") == 6
    assert len(re.findall(r"--attention-\d: url", page)) == 3  # embedded once


def test_pages_are_of_one_set_of_faces(model, crop, tmp_path):
    gradcam = [model.explain(crop, "Male", aligned=True)]
    occlusion = [model.explain(crop, "Male", method="occlusion", **SMALL)]
    predictions = [model.predict(crop, aligned=True)]
    path = tmp_path / "page.html"
    blan.write_explanation(path, gradcam, occlusion, predictions, model, crop)
    page = path.read_text()
    assert "not trained" in page and "Spatial attention" not in page and "Occlusion of the decision" in page
    for wrong, words in (
        ((gradcam, [], predictions), "expected the same faces"),
        ((occlusion, occlusion, predictions), "not those methods'"),
        (([model.explain(crop, "Male", scores=1, aligned=True)], occlusion, predictions), 'lack "decision"'),
    ):
        with pytest.raises(blan.InvalidArgumentError, match=words):
            blan.write_explanation(path, *wrong, model, crop)
    with pytest.raises(blan.FileError, match="nowhere"):
        blan.write_explanation(tmp_path / "nowhere" / "p.html", gradcam, occlusion, predictions, model, crop)


def run(*arguments):
    return CliRunner().invoke(app, ["explain", *(str(argument) for argument in arguments)])


def test_command_line(whole_photo, tmp_path):
    html, png = tmp_path / "page.html", tmp_path / "maps"
    result = run(whole_photo, "--attribute", "smiling", "--html", html, "--png", png, "--patch", 32)
    assert result.exit_code == 0
    assert re.search(r"Smiling +9\d\.\d % +\+\d", result.stdout)
    assert "wrote" in result.stderr and "Smiling in 1 face" in html.read_text()
    names = sorted(file.name for file in png.iterdir())
    levels = [f"Smiling-gradcam-{level}.png" for level in range(1, 5)]
    assert names == sorted(["face.png", *levels, "Smiling-occlusion.png", "Smiling-photo.png"])
    assert Image.open(png / "Smiling-photo.png").size == Image.open(whole_photo).size
    assert Image.open(png / "Smiling-occlusion.png").size == (178, 218)


def test_command_line_without_names_and_without_faces(model_path, photo, tmp_path):
    result = run(photo, "--aligned", "--model", model_path, "--patch", 32, "--fill", "white")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 5, result.stdout  # title, head, three rows
    assert "NOT TRAINED" in result.stderr
    Image.new("RGB", (60, 60)).save(tmp_path / "black.png")
    result = run(tmp_path / "black.png", "--html", tmp_path / "page.html")
    assert result.exit_code == 0 and "no face found" in result.stderr
    assert "No face was found" in (tmp_path / "page.html").read_text()


def test_command_line_says_what_is_wrong(photo, tmp_path):
    for arguments, words in (
        ((photo, "--aligned", "--attribute", "Smilling"), "near it: Smiling"),
        ((photo, "--aligned", "--patch", "999"), "patch is 999"),
        ((tmp_path / "gone.jpg",), "gone.jpg"),
        ((photo, "--aligned", "--patch", 64, "--png", photo), "cannot write to"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert isinstance(result.exception, blan.BlanError) and words in str(result.exception)

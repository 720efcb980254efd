"""Whole photos: the detector, predictions of every face, the command line, and other detectors' points."""

from __future__ import annotations

import csv
import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import blan
import numpy as np
import pytest
from blan.cli.app import app
from conftest import REPOSITORY
from PIL import Image
from typer.testing import CliRunner

FIXTURES = REPOSITORY / "Tests" / "Fixtures" / "faces"


@pytest.fixture(scope="module")
def several():
    """A photo with four faces."""
    return FIXTURES / "several.jpg"


@pytest.fixture(scope="module")
def none():
    """A photo without a face."""
    return FIXTURES / "none.jpg"


@pytest.fixture(scope="module")
def detector():
    return blan.Detector()


def test_faces_are_those_of_facenet_pytorch(detector, several):
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(FIXTURES / "expected.safetensors", "np") as file:
        boxes, landmarks, scores = (file.get_tensor(f"several.{part}") for part in ("boxes", "landmarks", "scores"))
    faces = detector.detect(several)
    assert len(faces) == len(boxes) == 4
    np.testing.assert_allclose([face.box for face in faces], boxes, atol=0.05)
    np.testing.assert_allclose([face.landmarks for face in faces], landmarks, atol=0.05)
    np.testing.assert_allclose([face.score for face in faces], scores, atol=1e-4)


def test_every_kind_of_photo_gives_the_same_faces(detector, whole_photo):
    (expected,) = detector.detect(whole_photo)
    rgb = np.asarray(Image.open(whole_photo).convert("RGB"))
    photos = [whole_photo.read_bytes(), Image.open(whole_photo), rgb]
    for face in [detector.detect(photo)[0] for photo in photos] + detector.detect(rgb[:, :, ::-1], color="bgr"):
        assert face.box == expected.box and face.score == expected.score
        assert np.array_equal(face.landmarks, expected.landmarks)


def test_no_face_is_an_empty_list(detector, model, none):
    assert detector.detect(none) == []
    assert model.predict(none) == []
    assert model.predict([none, none]) == [[], []]


def test_more_faces_than_there_was_room_for(detector, model, whole_photo):
    photo = np.asarray(Image.open(whole_photo).convert("RGB").resize((200, 200)))
    crowd = np.tile(photo, (4, 5, 1))
    faces = detector.detect(crowd)
    assert len(faces) >= 18
    assert [face.face.box for face in model.predict(crowd)] == [face.box for face in faces]


def test_options(several):
    everything = blan.Detector().detect(several)
    assert [face.box for face in blan.Detector(max_faces=2).detect(several)] == [face.box for face in everything[:2]]
    assert blan.Detector(min_face=390).detect(several) == []
    assert "faces from 45 pixels" in repr(blan.Detector(min_face=45))
    assert blan.Detector(threads=3).threads == 3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"min_face": 11}, "min_face is 11"),
        ({"min_face": float("nan")}, "min_face"),
        ({"thresholds": (0.6, 0.7)}, "2 thresholds"),
        ({"thresholds": (0.6, 0.7, 1.0)}, r"thresholds\[2\]"),
        ({"factor": 1.0}, "factor is 1"),
        ({"max_faces": -1}, "max_faces is -1"),
        ({"threads": 2000}, "threads is 2000"),
    ],
)
def test_options_out_of_range_are_named(options, named):
    with pytest.raises(blan.InvalidArgumentError, match=named):
        blan.Detector(**options)


def test_loading(detector, several, photo, tmp_path, model_path):
    path = blan.default_detector_path()
    from_bytes = blan.Detector((REPOSITORY / "models" / "mtcnn.safetensors").read_bytes())
    assert [face.box for face in from_bytes.detect(several)] == [face.box for face in detector.detect(several)]
    with pytest.raises(TypeError, match="bytes"):
        pickle.dumps(from_bytes)
    again = pickle.loads(pickle.dumps(blan.Detector(path, max_faces=1)))
    assert len(again.detect(several)) == 1
    with pytest.raises(blan.FormatError, match="no face detector"):
        blan.Detector(model_path)
    with pytest.raises(blan.FormatError, match="not a safetensors file"):
        blan.Detector(photo)
    with pytest.raises(blan.FileError, match="gone"):
        blan.Detector(tmp_path / "gone.safetensors")


def test_predictions_are_those_of_the_aligned_crops(model, detector, several):
    predictions = model.predict(several, scores=True)
    crops = [detector.align(several, face) for face in detector.detect(several)]
    expected = model.predict(crops, aligned=True, scores=True)
    assert len(predictions) == 4
    for found, wanted in zip(predictions, expected, strict=True):
        assert found.source == str(several)
        np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4, atol=1e-4)


def test_many_photos_and_a_detector_of_ones_own(model, several, whole_photo, none):
    photos = [several, none, np.asarray(Image.open(whole_photo))]
    found = model.predict(photos, detector=blan.Detector(max_faces=1))
    assert [len(faces) for faces in found] == [1, 0, 1]
    streamed = list(model.stream(photos, batch=2))
    assert [len(faces) for faces in streamed] == [4, 0, 1]
    assert streamed[0][0].face.box == found[0][0].face.box
    with pytest.raises(blan.InvalidArgumentError, match="one or the other"):
        model.predict(several, aligned=True, detector=blan.Detector())


def test_photos_that_cannot_be_read(model, several):
    with pytest.raises(blan.FileError, match=r"photo 1 of 2.*gone\.jpg"):
        model.predict([several, "gone.jpg"])
    with pytest.raises(blan.FileError, match=r"^(?!photo).*gone\.jpg"):
        model.predict("gone.jpg")
    with pytest.raises(blan.InvalidArgumentError, match="dtype float64"):
        model.predict(np.zeros((5, 5, 3)))
    with pytest.raises(blan.InvalidArgumentError, match="640x400"):
        model.predict(several, maximum_pixels=1000)
    (failed,), faces = model.predict(["gone.jpg", several], on_error="keep")
    assert isinstance(failed.error, blan.FileError) and failed.face is None and np.isnan(failed.probabilities).all()
    assert len(faces) == 4 and all(face.error is None for face in faces)


def test_threads_share_a_detector(detector, several):
    expected = [face.box for face in detector.detect(several)]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(detector.detect, [several] * 12):
            assert [face.box for face in found] == expected


def test_a_prediction_holds_its_face(model, whole_photo):
    (face,) = model.predict(whole_photo)
    content = json.loads(json.dumps(face.to_dict()))["face"]
    np.testing.assert_allclose(content["box"], face.face.box, atol=1e-3)
    assert np.shape(content["landmarks"]) == (5, 2) and 0.99 < content["score"] <= 1


def test_rows_of_yunet():
    row = [10, 20, 30, 40, 17, 33, 31, 32, 24, 41, 18, 50, 30, 49, 0.93]
    (face,) = blan.faces_from_yunet(np.array([row], dtype=np.float32))
    assert face.box == (10, 20, 40, 60)
    assert face.score == pytest.approx(0.93)
    # The person's right eye, the first of the row, is on the photo's left: the first for align_face too.
    assert face.landmarks.tolist() == [[17, 33], [31, 32], [24, 41], [18, 50], [30, 49]]
    aligned = blan.align_face(np.zeros((80, 60, 3), dtype=np.uint8), face.landmarks)
    assert aligned.shape == (218, 178, 3)
    assert blan.faces_from_yunet(None) == []
    assert len(blan.faces_from_yunet(np.array(row))) == 1
    assert blan.faces_from_yunet(np.empty((0, 15))) == []
    with pytest.raises(blan.ShapeError, match=r"\(1, 14\)"):
        blan.faces_from_yunet(np.array([row[:14]]))


def run(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def test_command_line_csv(model, model_path, several, none, tmp_path):
    out = tmp_path / "out.csv"
    result = run(several, none, "gone.jpg", "--model", model_path, "--csv", out)
    assert result.exit_code == 1
    rows = list(csv.DictReader(out.open()))
    assert [row["status"] for row in rows] == ["ok"] * 4 + ["no face", "FileError"]
    for row, face in zip(rows, model.predict(several), strict=False):
        box = [float(row[side]) for side in ("x0", "y0", "x1", "y1")]
        np.testing.assert_allclose(box, face.face.box, atol=0.006)
        np.testing.assert_allclose([float(row[name]) for name in model.names], face.probabilities, atol=1e-6)
    assert all(value == "" for value in list(rows[4].values())[3:])
    assert f"{none}: no face found" in result.stderr


def test_command_line_json(model_path, several, none):
    result = run(several, none, "--model", model_path, "--json", "--max-faces", 3, "--min-face", 30)
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["source"] for line in lines] == [str(several)] * 3 + [str(none)]
    assert all(len(line["face"]["box"]) == 4 for line in lines[:3])
    assert lines[3]["face"] is None and "probabilities" not in lines[3]


def test_command_line_table(model_path, whole_photo, none):
    result = run(whole_photo, none, "--model", model_path)
    assert result.exit_code == 0
    assert "face at 140, 62, 229, 175" in result.stdout
    assert f"{none}: no face found" in result.stdout.replace("\n", "")
    quiet = run(none, "--model", model_path, "--quiet")
    assert "no face found" in quiet.stdout.replace("\n", "") and quiet.stderr == ""


def test_page_with_boxes(model, model_path, several, none, tmp_path):
    page = tmp_path / "page.html"
    assert run(several, none, "--model", model_path, "--html", page).exit_code == 0
    content = page.read_text(encoding="utf-8")
    assert content.count("<article") == 4
    assert content.count("--whole: url(") == 1
    boxes = re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"', content)
    for drawn, face in zip(boxes, model.predict(several), strict=True):
        left, top, right, bottom = face.face.box
        np.testing.assert_allclose(np.array(drawn, float), [left, top, right - left, bottom - top], atol=0.06)
    assert content.count("<circle") == 20
    assert "<b>Level 1</b>" in content


def test_the_whole_photo_gives_the_attributes_of_its_crop(photo, whole_photo):
    model = blan.load()
    (whole,) = model.predict(whole_photo)
    (found,) = model.predict(photo)
    crop = model.predict(photo, aligned=True)
    assert set(whole.attributes) == set(crop.attributes) == set(found.attributes)


def test_the_bundled_crop_is_what_the_detector_makes_of_the_photo(photo, whole_photo):
    detector = blan.Detector()
    (face,) = detector.detect(whole_photo)
    difference = detector.align(whole_photo, face).astype(int) - blan.read_image(photo)
    assert np.abs(difference).mean() < 2  # the file is a JPEG

"""Every status becomes its exception, with a message that names what and says what was expected."""

from __future__ import annotations

import pickle

import blan
import numpy as np
import pytest
from blan.errors import error_for
from PIL import Image


@pytest.mark.parametrize(
    ("status", "kind", "builtin"),
    [
        (1, blan.InvalidArgumentError, ValueError),
        (2, blan.FileError, OSError),
        (3, blan.FormatError, ValueError),
        (4, blan.ShapeError, ValueError),
        (5, blan.UnsupportedError, NotImplementedError),
        (6, blan.OutOfMemoryError, MemoryError),
        (7, blan.CancelledError, Exception),
        (8, blan.InternalError, RuntimeError),
        (99, blan.InternalError, RuntimeError),
    ],
)
def test_statuses(status, kind, builtin):
    error = error_for(status, "text")
    assert type(error) is kind
    assert isinstance(error, blan.BlanError) and isinstance(error, builtin)
    assert str(error) == "text"
    assert str(pickle.loads(pickle.dumps(error))) == "text"


def test_missing_model_file():
    with pytest.raises(blan.FileError, match=r"nowhere\.safetensors"):
        blan.load("nowhere.safetensors")


def test_damaged_model_file(tmp_path, model_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model_path.read_bytes()[:5000])
    with pytest.raises(blan.FormatError):
        blan.load(cut)
    with pytest.raises(blan.FormatError):
        blan.load(cut.read_bytes())


@pytest.mark.parametrize("threads", [-1, 1025, 2**40])
def test_thread_count_out_of_range(model_path, threads):
    with pytest.raises(blan.InvalidArgumentError, match="threads"):
        blan.load(model_path, threads=threads)


def test_missing_photo(model):
    with pytest.raises(blan.FileError, match=r"nowhere\.jpg"):
        model.predict("nowhere.jpg", aligned=True)


def test_damaged_photo(model, photo):
    with pytest.raises(blan.FormatError):
        model.predict(photo.read_bytes()[:3000], aligned=True)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50)])
def test_other_kinds_of_bytes(model, data):
    with pytest.raises((blan.UnsupportedError, blan.FormatError, blan.InvalidArgumentError)):
        model.predict(data, aligned=True)


def test_photo_above_the_pixel_limit(model, photo):
    with pytest.raises(blan.InvalidArgumentError, match="178"):
        model.predict(photo, maximum_pixels=1000, aligned=True)


@pytest.mark.parametrize("path", ["", "face\0.jpg", b"face\0.jpg".decode()])
def test_strings_that_are_no_path(model, path):
    with pytest.raises(blan.InvalidArgumentError, match="not a path"):
        model.predict(path, aligned=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint16, bool])
def test_wrong_dtype(model, dtype):
    with pytest.raises(blan.InvalidArgumentError, match=f"dtype {np.dtype(dtype)}; expected uint8"):
        model.predict(np.zeros((10, 10, 3), dtype=dtype), aligned=True)


@pytest.mark.parametrize("shape", [(5,), (10, 10, 2), (3, 10, 10), (0, 10, 3), (10, 0), (1, 1, 1, 1, 1)])
def test_wrong_shape(model, shape):
    with pytest.raises(blan.ShapeError, match="shape"):
        model.predict(np.zeros(shape, dtype=np.uint8), aligned=True)


def test_channels_first_is_explained(model):
    with pytest.raises(blan.ShapeError, match=r"transpose\(1, 2, 0\)"):
        model.predict(np.zeros((3, 20, 20), dtype=np.uint8), aligned=True)


@pytest.mark.parametrize("photo", [3, None, 2.5, object()])
def test_wrong_type(model, photo):
    with pytest.raises(blan.InvalidArgumentError, match=type(photo).__name__):
        model.predict(photo, aligned=True)


@pytest.mark.parametrize("options", [{"color": "hsv"}, {"on_error": "ignore"}, {"threshold": 1.5}, {"threshold": -1}])
def test_wrong_options(model, faces, options):
    with pytest.raises(blan.InvalidArgumentError, match=next(iter(options))):
        model.predict(faces[0], **options, aligned=True)


def test_a_bad_photo_is_named_by_its_place(model, photo, faces):
    with pytest.raises(blan.FileError, match=r"photo 2 of 3: .*gone\.jpg"):
        model.predict([photo, faces[0], "gone.jpg"], aligned=True)


def test_keep_predicts_the_others(model, photo, faces):
    bad = ["gone.jpg", photo.read_bytes()[:100], np.zeros((2, 2)), 7]
    mixed = [photo, bad[0], faces[0], bad[1], bad[2], photo.read_bytes(), bad[3]]
    results = model.predict(mixed, on_error="keep", scores=True, aligned=True)
    kinds = [type(result.error).__name__ for result in results]
    assert kinds[1] == "FileError" and kinds[3] == "FormatError"
    assert kinds[4] == kinds[6] == "InvalidArgumentError"
    for index in (0, 2, 5):
        assert results[index].error is None
        expected = model.predict(mixed[index], scores=True, aligned=True).scores
        np.testing.assert_allclose(results[index].scores, expected, rtol=1e-5, atol=1e-5)
    for index in (1, 3, 4, 6):
        assert np.isnan(results[index].probabilities).all()
        assert results[index].to_dict()["error"]["type"] == kinds[index]


@pytest.fixture
def cut_image(tmp_path):
    """A PIL image whose file ends too early, which Pillow notices when the pixels are wanted."""
    path = tmp_path / "cut.png"
    noise = np.random.default_rng(5).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as image:
        yield image


LONG = np.broadcast_to(np.uint8(0), (1, 2**24 + 1, 3))


@pytest.mark.parametrize("aligned", [True, False])
def test_keep_predicts_beside_a_cut_image_and_a_long_one(model, whole_photo, faces, cut_image, aligned):
    good = faces[0] if aligned else whole_photo
    results = model.predict([good, cut_image, LONG, good], aligned=aligned, on_error="keep")
    kept = results if aligned else [found[0] for found in results]
    assert [type(result.error).__name__ for result in kept] == ["NoneType", "FormatError", "ShapeError", "NoneType"]
    assert "cut.png" in str(kept[1].error) and "16777217" in str(kept[2].error)
    assert np.isnan(kept[1].probabilities).all() and np.isnan(kept[2].probabilities).all()
    expected = model.predict(good, aligned=True).probabilities if aligned else model.predict(good)[0].probabilities
    np.testing.assert_allclose(kept[3].probabilities, expected, rtol=1e-5, atol=1e-5)


def test_a_cut_image_and_a_long_one_are_named_by_their_place(model, photo, faces, cut_image):
    with pytest.raises(blan.FormatError, match=r"photo 2 of 3: .*cut\.png"):
        model.predict([photo, faces[0], cut_image], aligned=True)
    with pytest.raises(blan.ShapeError, match=r"photo 3 of 4: .*sides from 1 to 16777216"):
        model.predict([photo, faces[0], photo, LONG], aligned=True)


def test_a_pil_image_without_memory(model, cut_image, monkeypatch):
    def convert(_image, _mode):
        raise MemoryError

    monkeypatch.setattr(type(cut_image), "convert", convert)
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", lambda image: image)
    with pytest.raises(blan.OutOfMemoryError, match=r"cut\.png"):
        model.predict(cut_image, aligned=True)


@pytest.mark.parametrize(
    "options", [{"width": 7}, {"input_size": 100}, {"variant": 9}, {"attention": "both"}, {"attributes": []}]
)
def test_wrong_configuration_writes_nothing(tmp_path, options):
    with pytest.raises(blan.BlanError):
        blan.init(tmp_path / "model.safetensors", **{"width": 8, "input_size": 64} | options)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_model(tmp_path):
    with pytest.raises(blan.FileError):
        blan.init(tmp_path / "nowhere" / "model.safetensors", width=8, input_size=64)


def test_wrong_landmarks(photo):
    with pytest.raises(blan.ShapeError, match=r"\(5, 2\)"):
        blan.align_face(photo, [(1, 2)])
    with pytest.raises(blan.InvalidArgumentError):
        blan.align_face(photo, [(1, 1)] * 5)
    with pytest.raises(blan.InvalidArgumentError):
        blan.align_face(photo, [(float("nan"), 1)] * 5)


def test_wrong_tensor(model):
    with pytest.raises(blan.ShapeError, match="64, 64"):
        model.predict_tensor(np.zeros((1, 3, 32, 32), dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_integers_are_not_taken_for_normalised_pixels(model, dtype):
    with pytest.raises(blan.InvalidArgumentError, match=f"pixels have dtype {np.dtype(dtype)}; expected floats"):
        model.predict_tensor(np.zeros((1, 3, 64, 64), dtype=dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_floats_of_any_size_are_prepared_pixels(model, faces, dtype):
    pixels = np.stack([model.preprocess(face) for face in faces]).astype(dtype)
    expected = model.predict_tensor(pixels.astype(np.float32))
    assert np.array_equal(model.predict_tensor(pixels), expected)


def test_closed_model(model_path, photo):
    with blan.load(model_path) as network:
        network.predict(photo, aligned=True)
    with pytest.raises(blan.InvalidArgumentError, match="closed"):
        network.predict(photo, aligned=True)

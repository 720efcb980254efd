"""One photo in every form that predict accepts gives the same numbers."""

from __future__ import annotations

import io

import blan
import numpy as np
import pytest
from PIL import Image


def scores(model, photo, **options):
    return model.predict(photo, scores=True, **options, aligned=True).scores


@pytest.fixture(scope="module")
def pixels(photo):
    return blan.read_image(photo)


@pytest.fixture(scope="module")
def expected(model, photo):
    return scores(model, photo)


def test_pixels_equal_pillows(photo, pixels):
    pillow = np.asarray(Image.open(photo).convert("RGB"))
    assert np.abs(pixels.astype(int) - pillow).max() <= 1


def test_bytes_equal_path(model, photo, expected):
    data = photo.read_bytes()
    for form in (data, bytearray(data), memoryview(data)):
        assert np.array_equal(scores(model, form), expected)


def test_str_path_equals_pathlib(model, photo, expected):
    assert np.array_equal(scores(model, str(photo)), expected)


def test_rgb_array_equals_path(model, pixels, expected):
    assert np.array_equal(scores(model, pixels), expected)


def test_bgr_array_equals_path(model, pixels, expected):
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    assert np.array_equal(scores(model, bgr, color="bgr"), expected)
    assert not np.array_equal(scores(model, bgr), expected)


def test_rgba_and_bgra_arrays_ignore_alpha(model, pixels, expected):
    alpha = np.random.default_rng(0).integers(0, 256, (*pixels.shape[:2], 1), dtype=np.uint8)
    rgba = np.concatenate([pixels, alpha], axis=2)
    assert np.array_equal(scores(model, rgba), expected)
    bgra = np.ascontiguousarray(rgba[:, :, [2, 1, 0, 3]])
    assert np.array_equal(scores(model, bgra, color="bgr"), expected)


def test_gray_array_equals_three_equal_channels(model, pixels):
    gray = pixels[:, :, 1]
    expected = scores(model, np.repeat(gray[:, :, np.newaxis], 3, axis=2))
    assert np.array_equal(scores(model, gray), expected)
    assert np.array_equal(scores(model, gray[:, :, np.newaxis]), expected)


def test_pil_image_equals_path(model, photo, pixels, expected):
    assert np.array_equal(scores(model, Image.fromarray(pixels)), expected)
    opened = scores(model, Image.open(photo))
    assert np.abs(opened - expected).max() < 0.05 * np.abs(expected).max()


def test_png_bytes_equal_array(model, pixels, expected):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert np.array_equal(scores(model, file.getvalue()), expected)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1],
        lambda a: a[::2],
        lambda a: a[:, ::-1],
        lambda a: a[:, ::3],
        lambda a: a[10:90, 5:70],
        lambda a: a[:, :, ::-1],
        lambda a: a[::-1, 3:50, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: a[:1],
        lambda a: a[:, :1],
        lambda a: np.concatenate([a, a[:, :, :1]], axis=2)[:, :, :3],
    ],
)
def test_strided_arrays_equal_their_copies(model, pixels, view):
    array = view(pixels)
    assert np.array_equal(scores(model, array), scores(model, array.copy(order="C")))


@pytest.mark.parametrize(
    "view", [lambda a: a[::-1], lambda a: a[::2], lambda a: a[10:90, 5:70], lambda a: a[..., ::-1]]
)
def test_views_with_whole_pixels_are_not_copied(pixels, view):
    from blan.images import pixels_of

    assert np.shares_memory(pixels_of(view(pixels), "rgb").owner, pixels)


def test_read_only_arrays_are_accepted(model, pixels, expected):
    array = pixels.copy()
    array.flags.writeable = False
    assert np.array_equal(scores(model, array), expected)


def test_four_dimensional_array_is_a_batch(model, pixels, expected):
    results = model.predict(np.stack([pixels, pixels]), scores=True, aligned=True)
    assert [np.array_equal(result.scores, expected) for result in results] == [True, True]


def test_objects_with_array_protocol_are_accepted(model, pixels, expected):
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return pixels

    assert np.array_equal(scores(model, Tensor()), expected)


def test_mixed_kinds_keep_their_order(model, photo, pixels, faces):
    kinds = [faces[0], str(photo), faces[1], photo.read_bytes(), Image.fromarray(faces[2]), photo]
    together = model.predict(kinds, scores=True, aligned=True)
    alone = [model.predict(kind, scores=True, aligned=True) for kind in kinds]
    assert [result.source for result in together] == [result.source for result in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5, atol=1e-5)


def test_generators_and_tuples_give_lists(model, faces):
    assert len(model.predict((face for face in faces), aligned=True)) == len(faces)
    assert len(model.predict(tuple(faces), aligned=True)) == len(faces)
    assert model.predict([], aligned=True) == []


def test_aligned_face_has_celebas_frame(photo):
    landmarks = [(69.4, 111.2), (107.6, 111.1), (88.1, 135.0), (71.2, 152.0), (105.5, 152.2)]
    aligned = blan.align_face(photo, landmarks)
    assert aligned.shape == (218, 178, 3)
    inside = np.abs(aligned.astype(int) - blan.read_image(photo))[4:-4, 4:-4]
    assert inside.mean() < 1  # these landmarks are where they should be: nothing moves


def test_alignment_takes_a_bgr_array(photo):
    landmarks = np.array([(80, 100), (110, 98), (95, 125), (82, 150), (108, 151)])
    bgr = blan.read_image(photo)[:, :, ::-1]
    assert np.array_equal(blan.align_face(bgr, landmarks, color="bgr"), blan.align_face(photo, landmarks))


def test_preprocess_and_predict_tensor_equal_predict(model, photo):
    tensor = model.preprocess(photo)
    assert tensor.shape == (3, 64, 64)
    assert np.array_equal(model.predict_tensor(tensor[np.newaxis])[0], model.predict(photo, aligned=True).probabilities)

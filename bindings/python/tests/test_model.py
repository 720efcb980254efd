"""Loading, what a prediction holds, batches and threads."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import blan
import numpy as np
import pytest

CELEBA_NAMES = 40


def test_default_model_predicts(photo):
    with blan.load() as model:
        assert len(model.names) == CELEBA_NAMES and "Smiling" in model.names
        face = model.predict(photo, aligned=True)
    assert face.probabilities.shape == (CELEBA_NAMES,)
    assert ((face.probabilities >= 0) & (face.probabilities <= 1)).all()
    assert face.trained == model.trained


def test_loading_from_bytes_equals_loading_from_a_file(model, model_path, photo):
    from_bytes = blan.load(model_path.read_bytes())
    assert from_bytes.path == ""
    assert np.array_equal(
        from_bytes.predict(photo, aligned=True).probabilities, model.predict(photo, aligned=True).probabilities
    )


def test_description(model):
    assert model.input_size == 64
    assert model.config["width"] == 8
    assert model.config["attributes"] == list(model.names)
    assert model.trained is False and "UNTRAINED" in repr(model)
    assert model.thresholds.dtype == np.float32 and (model.thresholds == 0.5).all()
    costs = {row.module: row for row in model.costs()}
    assert costs["encoder.stem"].multiply_accumulates == 7 * 7 * 3 * 8 * 32 * 32
    assert costs["fusion"].parameters == 5 * CELEBA_NAMES


def test_profile(model):
    steps = model.profile(batch=2, repeats=3)
    costs = {row.module: row.multiply_accumulates for row in model.costs()}
    stem = [step for step in steps if step.module == "encoder.stem"]
    assert sum(step.operations for step in stem) == 2 * 2 * costs["encoder.stem"]
    assert all(step.seconds >= 0 and step.bytes > 0 and step.kernel for step in steps)
    convolutions = [step for step in steps if step.module == "encoder.layer1"]
    assert sum(step.operations for step in convolutions) == 2 * 2 * costs["encoder.layer1"]
    for batch in (-1, 0, 9):
        with pytest.raises(blan.InvalidArgumentError, match="batch is"):
            model.profile(batch=batch)


def test_own_attributes(tmp_path, photo):
    path = tmp_path / "three.safetensors"
    blan.init(path, width=8, input_size=64, attributes=["scarf", "freckles", "élan"], variant=1)
    model = blan.load(path)
    face = model.predict(photo, attention=True, scores=True, aligned=True)
    assert model.names == ("scarf", "freckles", "élan")
    assert face.scores.shape == (5, 3, 2)
    assert face.attention == ()


def test_seeds(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        blan.init(path, width=8, input_size=64, seed=seed)
    a, b, c = (path.read_bytes() for path in paths)
    assert a == b != c


def test_outputs_on_request(model, photo):
    face = model.predict(photo, scores=True, logits=True, embeddings=True, attention=True, aligned=True)
    assert face.scores.shape == (5, CELEBA_NAMES, 2)
    np.testing.assert_allclose(face.scores[:4].sum(axis=0), face.scores[4], rtol=1e-4, atol=1e-4)
    difference = (face.logits[:, 1] - face.logits[:, 0]).astype(np.float64)
    np.testing.assert_allclose(face.probabilities, 1 / (1 + np.exp(-difference.clip(-80, 80))), atol=1e-5)
    assert face.embeddings.shape == (4, model.config["width"] * 8)
    assert [level.shape for level in face.attention] == [(16, 16), (8, 8), (4, 4)]
    assert all(((level >= 0) & (level <= 1)).all() for level in face.attention)
    bare = model.predict(photo, aligned=True)
    assert bare.scores is bare.logits is bare.embeddings is bare.attention is None


def test_attributes_are_those_above_the_threshold(model, photo):
    face = model.predict(photo, aligned=True)
    expected = {name for name, p in zip(face.names, face.probabilities, strict=True) if p >= 0.5}
    assert set(face.attributes) == expected
    values = list(face.attributes.values())
    assert values == sorted(values, reverse=True)
    assert set(model.predict(photo, threshold=0, aligned=True).attributes) == set(face.names)
    assert face["Smiling"] == pytest.approx(face.probabilities[face.names.index("Smiling")])
    with pytest.raises(KeyError, match="Grumpy"):
        face["Grumpy"]


def test_to_dict_is_json(model, photo):
    import json

    content = json.loads(json.dumps(model.predict(photo, aligned=True).to_dict()))
    assert content["source"] == str(photo)
    assert content["trained"] is False
    assert list(content["probabilities"]) == list(model.names)
    assert set(content["attributes"]) == {name for name, p in content["probabilities"].items() if p >= 0.5}


def test_a_photo_does_not_depend_on_its_batch(model, faces):
    photos = [faces[i % len(faces)] for i in range(19)]
    together = model.predict(photos, scores=True, aligned=True)
    for photo, result in zip(photos, together, strict=True):
        alone = model.predict(photo, scores=True, aligned=True)
        np.testing.assert_allclose(result.probabilities, alone.probabilities, atol=1e-6)
        np.testing.assert_allclose(result.scores, alone.scores, rtol=1e-6, atol=1e-6 * np.abs(alone.scores).max())


def test_stream_equals_predict(model, faces):
    photos = [faces[i % len(faces)] for i in range(7)]
    streamed = list(model.stream(iter(photos), batch=3, aligned=True))
    expected = model.predict(photos, aligned=True)
    assert len(streamed) == 7
    for one, other in zip(streamed, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_stream_takes_no_more_photos_than_it_needs(model, faces):
    taken = []

    def photos():
        for face in faces:
            taken.append(1)
            yield face

    next(model.stream(photos(), batch=2, aligned=True))
    assert len(taken) == 2


def test_eight_threads_with_one_model_get_the_same_bits(model, faces):
    expected = [model.predict(face, scores=True, aligned=True).scores for face in faces]

    def work(_worker: int) -> bool:
        return all(
            np.array_equal(model.predict(face, scores=True, aligned=True).scores, scores)
            for _ in range(4)
            for face, scores in zip(faces, expected, strict=True)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_results_do_not_depend_on_the_thread_count(model_path, faces):
    one, three = (blan.load(model_path, threads=count) for count in (1, 3))
    assert (one.threads, three.threads) == (1, 3)
    for face in faces:
        assert np.array_equal(
            one.predict(face, scores=True, aligned=True).scores, three.predict(face, scores=True, aligned=True).scores
        )


def test_closing_during_a_call_is_safe(model_path, faces):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            model = blan.load(model_path)
            calls = [pool.submit(model.predict, faces * 4, aligned=True) for _ in range(4)]
            model.close()
            for call in calls:
                try:
                    assert len(call.result()) == len(faces) * 4
                except blan.InvalidArgumentError as error:
                    assert "closed" in str(error)


def test_pickling_loads_the_file_again(model_path, photo):
    model = blan.load(model_path, threads=1)
    again = pickle.loads(pickle.dumps(model))
    assert again.threads == 1
    assert np.array_equal(
        again.predict(photo, aligned=True).probabilities, model.predict(photo, aligned=True).probabilities
    )


def test_a_model_from_bytes_is_not_pickled(model_path):
    with pytest.raises(TypeError, match="from bytes"):
        pickle.dumps(blan.load(model_path.read_bytes()))


def test_the_file_may_go_once_it_is_loaded(tmp_path, model, model_path, photo):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(model_path.read_bytes())
    network = blan.load(copy)
    copy.write_bytes(b"")
    copy.unlink()
    assert np.array_equal(
        network.predict(photo, aligned=True).probabilities, model.predict(photo, aligned=True).probabilities
    )

"""Reduced precision: loading in it, and models that are stored in it."""

from __future__ import annotations

import json
import pickle

import blan
import numpy as np
import pytest
from blan.cli.app import app
from typer.testing import CliRunner


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def quantized(tmp_path_factory, model_path):
    """The small model in int8, calibrated with noise, and in bf16."""
    folder = tmp_path_factory.mktemp("quantized")
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(8)]
    blan.quantize(model_path, folder / "int8.safetensors", calibration=images)
    blan.quantize(model_path, folder / "bf16.safetensors", precision="bf16")
    return folder


def deviation(actual, expected, faces):
    """How far the logits are from those of another model, in root mean squares: untrained weights make them large."""
    a, b = (np.stack([p.logits for p in m.predict(faces, aligned=True, logits=True)]) for m in (actual, expected))
    return np.sqrt(((a - b) ** 2).sum() / (b**2).sum())


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_predictions_stay_near_those_of_f32(quantized, model, faces, precision):
    small = blan.load(quantized / f"{precision}.safetensors")
    assert small.precision == precision
    assert 0 < deviation(small, model, faces) < 0.1
    assert pickle.loads(pickle.dumps(small)).precision == precision


def test_any_precision_may_be_asked_for(quantized, model, model_path, faces):
    for path, precision in [(quantized / "int8.safetensors", "f32"), (model_path, "bf16")]:
        other = blan.load(path, precision=precision)
        assert other.precision == precision
        assert 0 < deviation(other, model, faces) < 0.1
    asked = blan.load(model_path, precision="bf16")
    assert pickle.loads(pickle.dumps(asked)).precision == "bf16"


def test_what_cannot_be_is_said(model_path, tmp_path, photo):
    with pytest.raises(blan.UnsupportedError, match="blan quantize"):
        blan.load(model_path, precision="int8")
    with pytest.raises(blan.InvalidArgumentError, match="'int4'; expected one of f32, bf16, int8"):
        blan.load(model_path, precision="int4")
    out = tmp_path / "out.safetensors"
    with pytest.raises(blan.InvalidArgumentError, match="images"):
        blan.quantize(model_path, out)
    with pytest.raises(blan.InvalidArgumentError, match="'f32'"):
        blan.quantize(model_path, out, precision="f32")
    with pytest.raises(blan.FileError, match=r"missing\.jpg"):
        blan.quantize(model_path, out, calibration=[photo, "missing.jpg"])
    assert not out.exists()


def test_progress_counts_images(model_path, tmp_path, photo):
    seen = []
    blan.quantize(model_path, tmp_path / "m", calibration=[photo, photo], on_progress=lambda *args: seen.append(args))
    assert seen == [(1, 2), (2, 2)]


def test_native_precisions_are_those_of_the_cpu():
    native = blan.system().native_precisions
    assert native[0] == "f32"
    if blan.system().instruction_set != "avx512":
        assert native == ("f32",)


def test_command_line(model_path, photo, tmp_path, drawings):
    small = tmp_path / "small.safetensors"
    result = run("quantize", model_path, small, "--calibrate", drawings, "--images", 10)
    assert result.exit_code == 0, result.output
    assert "int8" in result.stderr
    assert small.stat().st_size < 0.6 * model_path.stat().st_size
    info = json.loads(run("info", small, "--json").stdout)
    assert info["model"]["precision"] == "int8"
    assert info["model"]["config"]["precision"] == "int8"
    assert "f32" in info["system"]["native_precisions"]
    shown = run("info", small).stdout
    assert "precision" in shown and "int8" in shown

    def predict(*options):
        result = run("predict", "--aligned", photo, "--model", small, "--json", *options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["probabilities"]

    assert predict() == predict("--precision", "int8")
    assert predict() != predict("--precision", "f32")
    refused = run("quantize", model_path, tmp_path / "other")
    assert refused.exit_code == 2
    assert "--calibrate" in refused.output
    assert run("quantize", model_path, tmp_path / "half", "--precision", "bf16", "-q").output == ""


def test_accuracy_stays_within_a_fifth_of_a_point(celeba, tmp_path):
    """The bundled model on celeba-8k's test part; int8 is calibrated with the training part."""
    train = blan.Dataset.open(celeba, split="train").paths
    small = tmp_path / "int8.safetensors"
    blan.quantize(blan.default_model_path(), small, calibration=train[:: len(train) // 100])
    test = blan.Dataset.open(celeba, split="test")

    def accuracy(path, precision):
        with blan.load(path, precision=precision) as model:
            return model.evaluate(test, resamples=0).mean.accuracy

    expected = accuracy(None, "f32")
    assert abs(accuracy(None, "bf16") - expected) < 0.002
    assert abs(accuracy(small, "int8") - expected) < 0.002

"""What does not fit a number or text of C is refused and not cut off: 2^32 + 1 epochs are not one."""

from __future__ import annotations

import blan
import numpy as np
import pytest
from blan.cli.app import app
from blan.training import Settings
from blan.training.options import fit_options
from typer.testing import CliRunner

SMALL = {"width": 4, "input_size": 64}
FIT = {
    "epochs": 1,
    "batch": 16,
    "mirror": False,
    "workers": 0,
    "cache_bytes": 0,
    "skip_unreadable": False,
    "checkpoints": None,
    "checkpoint_steps": 0,
    "patience": 0,
} | dict.fromkeys(("shift", "zoom", "rotation", "brightness", "contrast", "saturation", "cutout"), 0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "labels.csv"
    path.write_text("path,Hat\na.jpg,1\nb.jpg,0\nc.jpg,1\n")
    return blan.Dataset.open(path)


@pytest.mark.parametrize(
    "option",
    [
        {"width": 2**32 + 8},
        {"input_size": 2**32 + 64},
        {"variant": 2**32 + 6},
        {"seed": -1},
        {"seed": 2**64},
    ],
    ids=str,
)
def test_numbers_of_new_networks(tmp_path, option):
    name, value = next(iter(option.items()))
    with pytest.raises(blan.InvalidArgumentError, match=f"{name} is {value}"):
        blan.init(tmp_path / "model.safetensors", **(SMALL | option))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(blan.InvalidArgumentError, match=f"{name} is {value}"):
        blan.Trainer(**(SMALL | {"threads": 1} | option))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", 2**32 + 1),
        ("seed", -1),
        ("warmup_steps", 2**32),
        ("total_steps", 2**64),
        ("accumulate", 2**32 + 1),
    ],
)
def test_numbers_of_a_trainer(name, value):
    with pytest.raises(blan.InvalidArgumentError, match=f"{name} is {value}"):
        blan.Trainer(**SMALL, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 2**32 + 1),
        ("batch", 2**32 + 16),
        ("workers", 2**32),
        ("cache_bytes", -1),
        ("cache_bytes", 2**64),
        ("checkpoint_steps", 2**64),
        ("patience", 2**32),
    ],
)
def test_numbers_of_a_fit(name, value):
    assert fit_options(**FIT).batch == 16
    with pytest.raises(blan.InvalidArgumentError, match=f"{name} is {value}"):
        fit_options(**FIT | {name: value})


@pytest.mark.parametrize("value", [-1, 2**64])
@pytest.mark.parametrize("aligned", [True, False])
def test_the_limit_of_pixels(model, photo, value, aligned):
    for on_error in ("raise", "keep"):
        with pytest.raises(blan.InvalidArgumentError, match=f"maximum_pixels is {value}"):
            model.predict([photo], aligned=aligned, maximum_pixels=value, on_error=on_error)
    with pytest.raises(blan.InvalidArgumentError, match=f"maximum_pixels is {value}"):
        blan.read_image(photo, maximum_pixels=value)
    assert blan.read_image(photo, maximum_pixels=2**64 - 1).shape == (218, 178, 3)


def test_threads_of_quantize(model_path, tmp_path):
    with pytest.raises(blan.InvalidArgumentError, match="threads is 4294967297"):
        blan.quantize(model_path, tmp_path / "out.safetensors", precision="bf16", threads=2**32 + 1)
    assert list(tmp_path.iterdir()) == []


def test_images_of_a_profile(model):
    with pytest.raises(blan.InvalidArgumentError, match="batch is 18446744073709551617"):
        model.profile(batch=2**64 + 1)


def test_items_and_seeds_of_data(data):
    for item in (2**64, -(2**64) + 1, -1, 3):
        with pytest.raises(blan.InvalidArgumentError, match=f"has no item {item}; it has 3"):
            data.subset([0, item])
    for seed in (-1, 2**64):
        with pytest.raises(blan.InvalidArgumentError, match=f"seed is {seed}"):
            data.split(0.5, seed=seed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 2**32 + 4),
        ("input_size", 2**32 + 64),
        ("epochs", 2**32 + 1),
        ("batch", 2**32 + 1),
        ("accumulate", 2**32 + 1),
        ("warmup_steps", 2**32),
        ("patience", 2**32),
        ("seed", 2**64),
        ("workers", 2**32),
        ("cache_mb", 2**44),
        ("checkpoint_steps", 2**64),
    ],
)
def test_settings_and_flags(tmp_path, name, value):
    with pytest.raises(blan.InvalidArgumentError, match=f"{name} is {value}; expected at most"):
        Settings(**{name: value})
    flag = f"--{name.replace('_', '-')}"
    result = CliRunner().invoke(app, ["train", str(tmp_path), "--out", str(tmp_path / "run"), flag, str(value)])
    assert result.exit_code == 2 and "Invalid value" in result.output and flag in result.output
    assert list(tmp_path.iterdir()) == []


CALLS = {
    "init": lambda path, _model: blan.init(path, **SMALL),
    "load": lambda path, _model: blan.load(path),
    "detector": lambda path, _model: blan.Detector(path),
    "explainer": lambda path, _model: blan.Explainer(path),
    "dataset": lambda path, _model: blan.Dataset.open(path),
    "start": lambda path, _model: blan.Trainer(path, threads=1),
    "encoder": lambda path, _model: blan.Trainer(**SMALL, encoder=path, threads=1),
    "import from": lambda path, model: blan.import_encoder(path, model, path),
    "import to": lambda path, model: blan.import_encoder(model, model, path),
    "quantize": lambda path, model: blan.quantize(path, model, precision="bf16"),
    "quantize to": lambda path, model: blan.quantize(model, path, precision="bf16"),
    "onnx": lambda path, model: blan.export_onnx(path, f"{model}.onnx"),
    "read": lambda path, _model: blan.read_image(path),
    "checkpoints": lambda path, _model: fit_options(**FIT | {"checkpoints": path}),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_path_is_cut_off(tmp_path, call):
    model = tmp_path / "model.safetensors"
    blan.init(model, **SMALL)
    before = model.read_bytes()
    for path in (f"{model}\0x", f"{model}\ud800"):
        with pytest.raises(blan.InvalidArgumentError, match="is not a path"):
            CALLS[call](path, model)
    assert [file.name for file in tmp_path.iterdir()] == [model.name] and model.read_bytes() == before


def test_paths_of_a_trainer(tmp_path):
    with blan.Trainer(**SMALL, threads=1) as trainer:
        for write in (trainer.save, trainer.export):
            with pytest.raises(blan.InvalidArgumentError, match="is not a path"):
                write(f"{tmp_path}/out.safetensors\0x")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_none_is_kept_beside_others(model, photo):
    good, *bad = model.predict([photo, "a\0b.jpg", "\ud800.jpg"], aligned=True, on_error="keep")
    assert good.error is None and np.isfinite(good.probabilities).all()
    assert [type(prediction.error) for prediction in bad] == [blan.InvalidArgumentError] * 2


def test_no_name_is_cut_off(tmp_path, model, data):
    calls = (
        lambda: blan.init(tmp_path / "model.safetensors", **SMALL, attributes=["Hat\0x"]),
        lambda: blan.Trainer(**SMALL, attributes=["Hat\0x"]),
        lambda: blan.Trainer(**SMALL, freeze="encoder\0x"),
        lambda: blan.Dataset.open(data.source, attributes=["Hat\0x"]),
        lambda: model.evaluate(data, groups="Male\0x"),
    )
    for call in calls:
        with pytest.raises(blan.InvalidArgumentError, match="holds a NUL character"):
            call()
    assert list(tmp_path.iterdir()) == []

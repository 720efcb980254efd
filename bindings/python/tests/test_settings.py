"""Settings of a run: which source wins, TOML there and back, faults named."""

from __future__ import annotations

import dataclasses

import blan
import pytest
from blan.cli.train import layered
from blan.training import Settings, config, resolve
from blan.training.settings import FIELDS


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text("width = 16\nepochs = 3\nlearning_rate = 1\n")
    settings = resolve(layered(file, {"epochs": 5}))
    assert (settings.width, settings.epochs, settings.learning_rate, settings.batch) == (16, 5, 1.0, 64)


def test_overfitting_suppression_is_one_switch_and_each_alone():
    without = resolve({"os": False})
    assert (without.dropout, without.mirror, without.encoder) == (0, False, "")
    mirrored = resolve({"os": False, "mirror": True})
    assert (mirrored.dropout, mirrored.mirror) == (0, True)
    both = resolve({"os": True, "encoder": "resnet34.safetensors"})
    assert (both.dropout, both.mirror, both.encoder) == (0.5, True, "resnet34.safetensors")
    with pytest.raises(blan.InvalidArgumentError, match="encoder"):
        resolve({"os": True})


def test_a_later_switch_wins_over_an_earlier_part():
    assert resolve({"dropout": 0.3}, {"os": False}).dropout == 0
    assert resolve({"os": False}, {"dropout": 0.3}).dropout == 0.3
    assert resolve({"os": True, "encoder": "e"}, {"os": False}).encoder == ""


def test_augment_stands_for_several():
    light = resolve({"augment": "light", "zoom": 0.5})
    assert light.zoom == 0.5 and light.rotation > 0 and light.cutout == 0
    assert resolve({"augment": "strong"}, {"augment": "none"}) == Settings()
    with pytest.raises(blan.InvalidArgumentError, match="light"):
        resolve({"augment": "wild"})


def test_toml_there_and_back(tmp_path):
    settings = Settings(
        data='a "quoted"\\path\tüñ\x7f',
        attributes=("Smiling", "With space"),
        learning_rate=3e-5,
        freeze=("encoder",),
        balanced=True,
        seed=2**63,
        attention="parallel",
    )
    record = {"version": "0.1.0", "seed": 7}
    config.write(tmp_path / "train.toml", settings, record)
    assert resolve(config.read(tmp_path / "train.toml")) == settings
    assert config.read_record(tmp_path / "train.toml") == record


def test_what_the_file_says_is_said_for_each_setting(tmp_path):
    config.write(tmp_path / "train.toml", Settings(), {})
    text = (tmp_path / "train.toml").read_text()
    for name, option in FIELDS.items():
        assert f"\n{name} = " in text and option.metadata["help"] in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epoch = 3", "epoch"),
        ("epochs = 2.5", "epochs is 2.5; expected int"),
        ("epochs = true", "epochs is True; expected int"),
        ('width = "wide"', "width"),
        ("attributes = [1]", "a list of strings"),
        ("mirror = 1", "mirror"),
        ("epochs = ", "train.toml"),
        ("epochs = 0", "1 or more"),
        ("dropout = 1.5", "at most"),
        ("dropout = nan", "dropout"),
        ('schedule = "bumpy"', "linear, cosine, constant"),
        ('os = "no"', "expected bool"),
    ],
)
def test_faults_are_named(tmp_path, text, expected):
    file = tmp_path / "train.toml"
    file.write_text(text + "\n")
    with pytest.raises(blan.BlanError) as error:
        resolve(config.read(file))
    assert expected in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(blan.FileError, match="gone"):
        config.read(tmp_path / "gone.toml")


def test_an_unknown_setting_names_the_known(tmp_path):
    with pytest.raises(blan.InvalidArgumentError, match="epochs"):
        resolve({"epoch": 3})


def test_every_setting_goes_somewhere():
    settings = Settings()
    used = set(settings.trainer_options()) | set(settings.fit_options())
    elsewhere = {"data", "part", "validation", "validation_share", "limit", "attributes", "lfwa_protocol"}
    elsewhere |= {"balanced", "cache_mb", "storage", "tensorboard"}
    assert {field.name for field in dataclasses.fields(Settings)} == (used - {"cache_bytes"}) | elsewhere

"""The examples in Python run and print what the package predicts."""

from __future__ import annotations

import shutil
import subprocess
import sys

import blan
import pytest
import shapes
from blan.dataset import Dataset
from conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


def run(script, *arguments):
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_predict(whole_photo, model, model_path, tmp_path):
    page = tmp_path / "page.html"
    result = run("python/predict.py", whole_photo, "gone.jpg", "--model", model_path, "--html", page)
    assert result.returncode == 1
    assert "not trained" in result.stderr and "gone.jpg" in result.stderr
    lines = result.stdout.splitlines()
    (face,) = model.predict(whole_photo)
    assert lines[0] == f"{whole_photo}, face at 140, 62"
    expected = {name: f"{100 * p:.1f}" for name, p in face.attributes.items()}
    assert {line.split()[0]: line.split()[1] for line in lines[1:]} == expected
    assert page.read_text().count("<article") == 2


@pytest.fixture(scope="module")
def trained(drawings, tmp_path_factory):
    """A model that knows two of the three attributes of the drawings."""
    path = tmp_path_factory.mktemp("models") / "trained.safetensors"
    with blan.Trainer(width=4, input_size=64, attributes=["Bright", "Red"], threads=1, seed=5) as trainer:
        trainer.fit(Dataset.open(drawings, split="train"), epochs=6, batch=16)
        trainer.export(path)
    return path


def test_finetune(trained, drawings, tmp_path):
    options = ("--model", trained, "--out", tmp_path / "run", "--attributes", "Red,Round", "--epochs", 2)
    result = run("python/finetune.py", drawings, *options)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 3 and lines[0].startswith("epoch 1 of 2: accuracy ")
    assert "predicts Red, Round" in lines[-1]
    with blan.load(tmp_path / "run" / "model.safetensors") as model:
        assert model.names == ("Red", "Round")
    again = run("python/finetune.py", drawings, *options)
    assert again.returncode == 1 and "holds a run" in again.stderr and "Traceback" not in again.stderr


def test_finetune_in_c(trained, tmp_path):
    compiler = shutil.which("gcc")
    library = REPOSITORY / "build" / "lib" / "libblan.so"
    if compiler is None or not library.exists():
        pytest.skip("no C compiler, or no build/lib/libblan.so to link with")
    program = tmp_path / "finetune"
    flags = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{REPOSITORY / 'include'}")
    source = EXAMPLES / "c" / "finetune.c"
    subprocess.run([compiler, *flags, source, library, f"-Wl,-rpath,{library.parent}", "-o", program], check=True)
    data = shapes.write(tmp_path / "data", 40, seed=4, split=False)
    command = [program, trained, data, tmp_path / "run", "3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch ") == 6  # three lines, each names the best epoch too
    with blan.load(tmp_path / "run" / "model.safetensors") as model:
        assert model.names == shapes.ATTRIBUTES and model.trained
    missing = subprocess.run([program, "gone", data, tmp_path / "run"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1 and "gone" in missing.stderr and "BLAN_ERROR_IO" in missing.stderr

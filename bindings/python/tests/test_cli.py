"""The command line: what goes to stdout, what to stderr, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import blan
import numpy as np
import pytest
import typer
from blan.cli.app import app
from typer.testing import CliRunner


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path, photo):
    """Two good photos, one of them in a folder below, and a file that is no photo by its name."""
    faces = tmp_path / "faces"
    (faces / "below").mkdir(parents=True)
    shutil.copy(photo, faces / "a.jpg")
    shutil.copy(photo, faces / "below" / "b.JPEG")
    (faces / "notes.txt").write_text("no photo")
    return faces


def test_json(model_path, model, photo):
    result = run("predict", "--aligned", photo, "--model", model_path, "--json")
    assert result.exit_code == 0
    line = json.loads(result.stdout)
    assert line == json.loads(json.dumps(model.predict(photo, aligned=True).to_dict()))
    assert "NOT TRAINED" in result.stderr


def test_folders_are_searched(model_path, folder):
    result = run("predict", "--aligned", folder, "--model", model_path, "--json")
    sources = [json.loads(line)["source"] for line in result.stdout.splitlines()]
    assert sources == [str(folder / "a.jpg"), str(folder / "below" / "b.JPEG")]


def test_csv(model_path, model, folder, photo, tmp_path):
    out = tmp_path / "out.csv"
    result = run("predict", "--aligned", folder, "missing.jpg", "--model", model_path, "--csv", out, "--batch", 2)
    assert result.exit_code == 1
    assert result.stdout == ""
    rows = list(csv.DictReader(out.open()))
    assert [row["status"] for row in rows] == ["ok", "ok", "FileError"]
    assert {row["trained"] for row in rows} == {"false"}
    values = [float(rows[0][name]) for name in model.names]
    np.testing.assert_allclose(values, model.predict(photo, aligned=True).probabilities, atol=1e-6)
    assert all(rows[2][name] == "" for name in model.names)
    assert "missing.jpg" in result.stderr and "1 of 3" in result.stderr


def test_csv_to_stdout(model_path, model, photo):
    result = run("predict", "--aligned", photo, "--model", model_path, "--csv", "-")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == ["path", "status", "trained", *model.names]
    assert len(rows) == 2


def test_table(model_path, model, photo):
    result = run("predict", "--aligned", photo, "--model", model_path)
    assert result.exit_code == 0
    for name, probability in model.predict(photo, aligned=True).ranked():
        assert f"{name.replace('_', ' ')} " in result.stdout
        assert f"{100 * probability:.1f} %" in result.stdout
    assert "NOT TRAINED" in result.stdout
    assert result.stderr == ""


def test_table_beside_files(model_path, photo, tmp_path):
    page, out = tmp_path / "page.html", tmp_path / "out.csv"
    result = run("predict", "--aligned", photo, "--model", model_path, "--table", "--html", page, "--csv", out)
    assert result.exit_code == 0
    assert str(photo) in result.stdout and "Mouth Slightly Open" in result.stdout
    assert page.exists() and out.exists()


def test_html(model_path, folder, tmp_path):
    page = tmp_path / "page.html"
    result = run("predict", "--aligned", folder, "--model", model_path, "--html", page)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert str(page) in result.stderr
    assert page.read_text().count("<article") == 2


def test_threshold(model_path, photo, model):
    result = run("predict", "--aligned", photo, "--model", model_path, "--json", "--threshold", 0)
    assert len(json.loads(result.stdout)["attributes"]) == len(model.names)


def test_skip_predicts_the_rest_and_stop_does_not(model_path, photo):
    skipped = run("predict", "--aligned", "gone.jpg", photo, "--model", model_path, "--json")
    assert skipped.exit_code == 1
    assert len(skipped.stdout.splitlines()) == 2
    stopped = run("predict", "--aligned", "gone.jpg", photo, "--model", model_path, "--json", "--on-error", "stop")
    assert stopped.exit_code == 1
    assert [json.loads(line)["source"] for line in stopped.stdout.splitlines()] == ["gone.jpg"]


def test_quiet(model_path, photo, tmp_path):
    result = run("predict", "--aligned", photo, "--model", model_path, "--csv", tmp_path / "o.csv", "--quiet")
    assert "wrote" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "x.jpg", "--threshold", "2"],
        ["predict", "x.jpg", "--threads", "-1"],
        ["predict", "x.jpg", "--batch", "0"],
        ["predict", "x.jpg", "--on-error", "panic"],
        ["predict", "x.jpg", "--json", "--csv", "-"],
        ["predict", "x.jpg", "--json", "--table"],
        ["predict", "x.jpg", "--table", "--csv", "-"],
        ["init"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_status_two(arguments):
    assert run(*arguments).exit_code == 2


def test_an_empty_folder_is_wrong_usage(tmp_path):
    result = run("predict", "--aligned", tmp_path)
    assert result.exit_code == 2
    assert "no JPEG or PNG" in result.stderr


def test_info(model_path):
    result = run("info", model_path)
    assert result.exit_code == 0
    for text in (blan.system().version, blan.system().instruction_set, "encoder.stem", "total", "NOT TRAINED"):
        assert text in result.stdout


def test_info_json(model_path, model):
    content = json.loads(run("info", model_path, "--json").stdout)
    assert content["system"]["instruction_set"] == blan.system().instruction_set
    assert content["model"]["config"] == model.config
    assert sum(row["parameters"] for row in content["model"]["costs"]) == sum(row.parameters for row in model.costs())


def test_init(tmp_path, model_path):
    path = tmp_path / "new.safetensors"
    result = run("init", path, "--width", 8, "--input-size", 64, "--seed", 3)
    assert result.exit_code == 0
    assert path.read_bytes() == model_path.read_bytes()
    assert "untrained" in result.stderr


def test_init_with_own_attributes(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("scarf\n\n freckles \n")
    path = tmp_path / "new.safetensors"
    assert run("init", path, "--width", 8, "--input-size", 64, "--attributes", names).exit_code == 0
    assert blan.load(path).names == ("scarf", "freckles")


def test_import_encoder(tmp_path, model_path):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(model_path)
    prefix = "encoder."
    encoder = {name.removeprefix(prefix): t + 1 for name, t in tensors.items() if name.startswith(prefix)}
    save_file(encoder, tmp_path / "encoder.safetensors")
    out = tmp_path / "out.safetensors"
    assert run("import-encoder", tmp_path / "encoder.safetensors", model_path, "--out", out).exit_code == 0
    imported = load_file(out)
    for name, tensor in tensors.items():
        expected = tensor + 1 if name.startswith(prefix) else tensor
        np.testing.assert_array_equal(imported[name], expected)


def test_import_encoder_from_a_torch_checkpoint(tmp_path, model_path):
    torch = pytest.importorskip("torch")
    from safetensors.numpy import load_file

    tensors = load_file(model_path)
    prefix = "encoder."
    encoder = {
        name.removeprefix(prefix): torch.from_numpy(tensor + 1)
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    torch.save(encoder, tmp_path / "encoder.pth")
    blan.import_encoder(tmp_path / "encoder.pth", model_path, tmp_path / "out.safetensors")
    imported = load_file(tmp_path / "out.safetensors")
    np.testing.assert_array_equal(imported["encoder.conv1.weight"], tensors["encoder.conv1.weight"] + 1)


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "blan.cli", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_the_program_itself(model_path, photo):
    result = command("predict", "--aligned", photo, "--model", model_path, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["source"] == str(photo)


@pytest.mark.parametrize("name", typer.main.get_command(app).commands)
def test_help_is_plain_text_that_explains_everything(name):
    result = command(name, "--help")
    assert result.returncode == 0 and result.stderr == ""
    assert f" {name} [OPTIONS]" in result.stdout and result.stdout.isascii()
    described = typer.main.get_command(app).commands[name]
    assert described.help
    assert [parameter.name for parameter in described.params if not parameter.help] == []


def test_a_file_that_is_no_model_is_said_to_be_none(photo):
    result = command("info", photo)
    assert result.returncode == 1
    assert "is not a safetensors file" in result.stderr


def test_a_failing_command_prints_no_traceback():
    result = command("info", "nowhere.safetensors")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and "nowhere.safetensors" in result.stderr
    assert "Traceback" not in result.stderr


def test_version():
    result = command("--version")
    assert result.stdout.split() == ["blan", blan.system().version]


def test_a_closed_pipe_ends_the_program_quietly(model_path, photo):
    options = f"--aligned --json --batch 1 --model {model_path}"
    shell = f"{sys.executable} -m blan.cli predict {options} {f'{photo} ' * 200} | head -1"
    result = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr and "Exception" not in result.stderr


def test_interrupt_leaves_whole_rows(model_path, photo, tmp_path):
    out = tmp_path / "out.csv"
    arguments = [
        "predict",
        "--aligned",
        *[str(photo)] * 20000,
        "--model",
        str(model_path),
        "--csv",
        str(out),
        "--batch",
        "4",
    ]
    # A shell starts background jobs with interrupts ignored, which would be inherited.
    process = subprocess.Popen(
        [sys.executable, "-m", "blan.cli", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (out.exists() and out.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in messages and "Traceback" not in messages
    rows = list(csv.reader(out.open()))
    assert 1 < len(rows) < 20001
    assert {len(row) for row in rows} == {len(rows[0])}

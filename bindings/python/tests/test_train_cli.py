"""`blan train` and `blan finetune`: what they write, how they stop, and that going on changes nothing."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import blan
import pytest
import shapes
from blan.cli.app import app
from blan.dataset import Dataset
from blan.training import Run, config
from blan.training.log import EPOCH_COLUMNS, STEP_COLUMNS
from safetensors import safe_open
from settled import settle
from typer.testing import CliRunner

QUICK = ("--width", "4", "--input-size", "64", "--epochs", "3", "--batch", "16", "--threads", "1", "--lr", "0.003")
EXACT = tuple(name for name in STEP_COLUMNS if name != "images_per_second")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def command(*arguments):
    return [sys.executable, "-m", "blan.cli", *map(str, arguments)]


def rows(path, columns=EXACT):
    with open(path, newline="") as file:
        return [[row[name] for name in columns] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(drawings, tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    result = run("train", drawings, "--out", folder, *QUICK)
    assert result.exit_code == 0, result.output
    return folder


def assert_same_run(folder, whole):
    """Weights, checkpoints and logs of two runs are the same, but for what the clock says."""
    for name in ("last.safetensors", "best.safetensors", "model.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert rows(folder / "steps.csv") == rows(whole / "steps.csv")
    exact = [name for name in EPOCH_COLUMNS if name != "images_per_second"]
    assert rows(folder / "epochs.csv", exact) == rows(whole / "epochs.csv", exact)
    assert json.loads((folder / "result.json").read_text()) == json.loads((whole / "result.json").read_text())


def test_the_folder_of_a_run(whole, drawings):
    expected = "best.safetensors epochs.csv evaluation.json last.safetensors model.safetensors report.html result.json"
    assert {path.name for path in whole.iterdir()} == {*expected.split(), "steps.csv", "train.toml"}
    assert [int(step) for step, *_ in rows(whole / "steps.csv")] == list(range(1, 13))
    epochs = rows(whole / "epochs.csv", ("epoch", "step", "validation_accuracy"))
    assert [row[:2] for row in epochs] == [["1", "4"], ["2", "8"], ["3", "12"]]
    result = json.loads((whole / "result.json").read_text())
    assert result["finished"] and result["best_accuracy"] == max(float(row[2]) for row in epochs)
    record = config.read_record(whole / "train.toml")
    assert record["version"] == blan.system().version and record["threads"] == 1
    assert re.fullmatch("sha256:[0-9a-f]{64}", record["data_hash"])
    with blan.load(whole / "model.safetensors") as model:
        assert model.trained and model.names == shapes.ATTRIBUTES
        accuracy = model.evaluate(Dataset.open(drawings, split="validation")).mean.accuracy
    assert accuracy == pytest.approx(result["best_accuracy"], abs=1e-6)


def test_the_report(whole):
    page = (whole / "report.html").read_text()
    assert "http-equiv" in page and not re.search(r"(src|href)=.(?!data:)", page)
    for heading in ("Losses", "Learning rate", "Validation", "Accuracy of each attribute", "Accuracy of each level"):
        assert f"<h2>{heading}" in page
    for name in (*shapes.ATTRIBUTES, "AC_1", "AC_4", "score fusion", "l_REC", "majority guess", "data_hash"):
        assert name in page
    assert page.count("<svg") >= 9
    assert page.count("data:image/png") == 12  # samples of the validation part
    assert "learning_rate" in page and "0.003" in page


def test_a_finished_run_is_left_alone(whole, drawings):
    before = {path.name: path.read_bytes() for path in whole.iterdir() if path.name != "report.html"}
    again = run("train", drawings, "--out", whole, *QUICK)
    assert again.exit_code == 1 and "resume" in str(again.exception)
    assert run("train", drawings, "--out", whole, *QUICK, "--resume").exit_code == 0
    assert {path.name: path.read_bytes() for path in whole.iterdir() if path.name != "report.html"} == before


def test_flags_win_over_the_file(drawings, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(f'data = "{drawings}"\nwidth = 4\ninput_size = 64\nepochs = 2\nbatch = 32\nmirror = false\n')
    assert run("train", "--out", tmp_path / "run", "--config", file, "--epochs", 1, "--quiet").exit_code == 0
    saved = config.read(tmp_path / "run" / "train.toml")
    assert (saved["epochs"], saved["batch"], saved["mirror"]) == (1, 32, False)
    assert len(rows(tmp_path / "run" / "epochs.csv")) == 1


def test_a_setting_that_decides_cannot_change_on_the_way(whole, drawings):
    result = run("train", drawings, "--out", whole, *QUICK, "--seed", 1, "--resume")
    assert result.exit_code == 1
    assert "seed = 0" in str(result.exception)


def test_other_data_are_refused_on_the_way(whole, tmp_path):
    other = shapes.write(tmp_path / "other", 96, seed=1)
    result = run("train", other, "--out", whole, *QUICK, "--resume")
    assert result.exit_code == 1
    assert "not what the run" in str(result.exception)


@pytest.mark.parametrize("file", ["", "labels.csv"])
def test_a_run_goes_on_where_its_data_have_moved(whole, tmp_path, file):
    first, second = tmp_path / "first", tmp_path / "second" / "place"
    shapes.write(first, 96)
    settings = {"width": 4, "input_size": 64, "epochs": 3, "batch": 16, "threads": 1, "learning_rate": 0.003}
    with Run(tmp_path / "run", {"data": str(first / file), **settings}) as broken_off:
        broken_off.train(lambda progress: progress.event != "epoch")
    second.parent.mkdir()
    first.rename(second)
    with Run(tmp_path / "run", {"data": str(second / file), "threads": 2}, resume=True) as resumed:
        assert resumed.notes == []
        resumed.train()
    for name in ("best.safetensors", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name


def test_one_process_a_folder(drawings, tmp_path):
    given = {"data": str(drawings), "width": 4, "input_size": 64}
    with Run(tmp_path / "run", given), pytest.raises(blan.InvalidArgumentError, match="another process"):
        Run(tmp_path / "run", given, resume=True)


def test_checkpoints_without_their_settings_are_refused(whole, drawings, tmp_path):
    (tmp_path / "last.safetensors").write_bytes((whole / "last.safetensors").read_bytes())
    with pytest.raises(blan.InvalidArgumentError, match=r"train\.toml"):
        Run(tmp_path, {"data": str(drawings)}, resume=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["train", "x", "--out", "y", "--width", "2"],
        ["train", "x", "--out", "y", "--schedule", "bumpy"],
        ["train", "x", "--out", "y", "--epochs", "many"],
        ["train", "x", "--out", "y", "--augment", "wild"],
        ["finetune", "--out", "y"],
        ["finetune", "m", "x", "--out", "y", "--width", "8"],
    ],
)
def test_wrong_usage_is_status_two(arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--os"], "encoder"),
        (["--attributes", "Hat"], "Hat"),
        (["--encoder", "gone.safetensors"], "gone.safetensors"),
        (["--config", "gone.toml"], "gone.toml"),
        (["--validation", "gone"], "gone"),
    ],
)
def test_failures_are_named(drawings, tmp_path, arguments, expected):
    result = run("train", drawings, "--out", tmp_path / "run", *QUICK, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, blan.BlanError) and expected in str(result.exception)


def test_plain_lines_where_stderr_is_no_terminal(drawings, tmp_path):
    arguments = ("train", drawings, "--out", tmp_path / "run", *QUICK)
    result = subprocess.run(command(*arguments), capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert sum(bool(re.match(r"epoch \d/3  loss ", line)) for line in lines) == 3
    first = next(line for line in lines if "step 1/12" in line)
    for term in ("loss", "cls", "lmim", "rec", "sf", "lr 3.00e-03", "images/s", "left"):
        assert term in first
    assert "\x1b" not in result.stderr
    assert "report.html" in lines[-1]


def test_data_without_parts(tmp_path):
    folder = shapes.write(tmp_path / "data", 40, split=False)
    assert run("train", folder, "--out", tmp_path / "run", *QUICK, "--epochs", 1).exit_code == 0
    record = config.read_record(tmp_path / "run" / "train.toml")
    assert (record["train_images"], record["validation_images"]) == (36, 4)
    arguments = ("train", folder, "--out", tmp_path / "none", *QUICK, "--epochs", 1, "--validation-share", 0)
    assert run(*arguments).exit_code == 0
    assert json.loads((tmp_path / "none" / "result.json").read_text())["best_accuracy"] is None
    assert (tmp_path / "none" / "model.safetensors").exists()


def test_limit_and_attributes(drawings, tmp_path):
    arguments = ("--limit", 20, "--attributes", "Round, Red", "--epochs", 1)
    assert run("train", drawings, "--out", tmp_path / "run", *QUICK, *arguments).exit_code == 0
    record = config.read_record(tmp_path / "run" / "train.toml")
    assert (record["train_images"], record["validation_images"]) == (20, 16)
    with blan.load(tmp_path / "run" / "model.safetensors") as model:
        assert model.names == ("Round", "Red")


def test_patience_and_storage(drawings, tmp_path):
    arguments = ("--patience", 1, "--epochs", 30, "--lr", 0, "--storage", "bf16", "--statistics", "frozen")
    assert run("train", drawings, "--out", tmp_path / "run", *QUICK, *arguments).exit_code == 0
    assert len(rows(tmp_path / "run" / "epochs.csv")) == 2
    sizes = [(tmp_path / "run" / name).stat().st_size for name in ("model.safetensors", "best.safetensors")]
    assert sizes[0] * 4 < sizes[1]


def test_tensorboard(drawings, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert run("train", drawings, "--out", tmp_path / "run", *QUICK, "--tensorboard").exit_code == 0
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    losses = {event.step: event.tensor_proto.float_val[0] for event in events.Tensors("loss/total")}
    expected = {int(step): float(total) for step, total in rows(tmp_path / "run" / "steps.csv", ("step", "total"))}
    assert losses == pytest.approx(expected, rel=1e-6)
    assert len(events.Tensors("validation/accuracy")) == 3


def test_finetune(whole, tmp_path):
    data = shapes.write(tmp_path / "data", 60, seed=2, attributes=("Round", "New"))
    model = whole / "model.safetensors"
    arguments = ("--epochs", 2, "--threads", 1, "--freeze", "encoder", "--balanced")
    result = run("finetune", model, data, "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 0, result.output
    saved = config.read(tmp_path / "run" / "train.toml")
    assert (saved["width"], saved["input_size"], saved["batch"], saved["freeze"]) == (4, 64, 8, ("encoder",))
    with blan.load(tmp_path / "run" / "model.safetensors") as tuned:
        assert tuned.names == ("Round", "New")


def test_finetune_in_one_call(whole, tmp_path):
    data = shapes.write(tmp_path / "data", 60, seed=2)
    events = []
    model, history = blan.finetune(
        whole / "model.safetensors", data, ["Red"], epochs=2, freeze="encoder", on_progress=events.append, threads=1
    )
    with model:
        assert model.names == ("Red",) and model.trained
        assert model.predict(Dataset.open(data).paths[0], aligned=True).error is None
    assert len(history.epochs) == 2 and history.best_epoch in (1, 2)
    assert {event.event for event in events} == {"step", "validation", "epoch"}
    with pytest.raises(blan.InvalidArgumentError, match="epoch_count"):
        blan.finetune(whole / "model.safetensors", data, epoch_count=2)


def test_finetune_keeps_what_it_writes(whole, tmp_path):
    data = shapes.write(tmp_path / "data", 40, seed=3)
    start = blan.load(whole / "model.safetensors")
    model, _ = blan.finetune(start, data, out=tmp_path / "run", epochs=1, threads=1)
    assert model.path == str(tmp_path / "run" / "model.safetensors")
    for name in ("last.safetensors", "best.safetensors", "steps.csv", "train.toml"):
        assert (tmp_path / "run" / name).exists()
    with pytest.raises(blan.InvalidArgumentError, match="resume"):
        blan.finetune(start, data, out=tmp_path / "run", epochs=1, threads=1)


def test_finetune_keeps_the_licence(whole, tmp_path):
    data = shapes.write(tmp_path / "data", 40, seed=3)
    start = shutil.copy(whole / "model.safetensors", tmp_path / "start.safetensors")
    settle(start, 1)  # states a licence
    blan.finetune(start, data, ["Red"], out=tmp_path / "run", epochs=1, threads=1)
    for name in ("model.safetensors", "best.safetensors"):
        with safe_open(tmp_path / "run" / name, "np") as file:
            assert file.metadata()["blan.licence"] == "for tests"


def start_until(folder, arguments, step):
    """Starts a training and waits until a step is logged."""
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True, preexec_fn=_default_interrupts)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "steps.csv").exists() and len(rows(folder / "steps.csv")) >= step:
            break
        time.sleep(0.01)
    return process


def _default_interrupts():
    """A shell's background jobs ignore Ctrl-C, and so would their children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_with_a_checkpoint_and_resume_goes_on(whole, drawings, tmp_path, number):
    folder = tmp_path / "run"
    arguments = ("train", drawings, "--out", folder, *QUICK)
    process = start_until(folder, arguments, 5)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping after this step" in messages and "--resume" in messages and "Traceback" not in messages
    assert 5 <= len(rows(folder / "steps.csv")) < 12
    assert json.loads((folder / "result.json").read_text())["finished"] is False
    assert "not finished" in (folder / "report.html").read_text()
    assert run(*arguments, "--resume").exit_code == 0
    assert_same_run(folder, whole)


def test_a_second_interrupt_ends_at_once(drawings, tmp_path):
    folder = tmp_path / "run"
    slow = ("--width", 16, "--input-size", 128, "--epochs", 50, "--batch", 64, "--threads", 1)
    process = start_until(folder, ("train", drawings, "--out", folder, *slow), 1)
    process.send_signal(signal.SIGINT)
    while "stopping" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    process.communicate(timeout=60)
    assert time.monotonic() - started < 1
    assert process.returncode == 130
    assert not (folder / "result.json").exists()


def test_a_full_disk_is_reported_and_the_earlier_checkpoint_stays(whole, drawings, tmp_path):
    folder = tmp_path / "run"
    arguments = ("train", drawings, "--out", folder, *QUICK)
    process = start_until(folder, arguments, 5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    earlier = (folder / "last.safetensors").read_bytes()
    full = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from blan.cli import main
sys.argv = {["blan", *map(str, arguments), "--resume"]}
main()
"""
    result = subprocess.run([sys.executable, "-c", full], capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 1
    assert "error: " in result.stderr and "last.safetensors" in result.stderr and "Traceback" not in result.stderr
    assert (folder / "last.safetensors").read_bytes() == earlier
    assert not [
        path for path in folder.iterdir() if path.suffix not in (".safetensors", ".csv", ".toml", ".json", ".html")
    ]
    assert run(*arguments, "--resume").exit_code == 0
    assert_same_run(folder, whole)


@pytest.mark.parametrize("event", ["step", "epoch"])
def test_a_kill_in_the_last_epoch_changes_nothing(drawings, whole, tmp_path, event):
    """What lies in the folder when the last step, or the last epoch, has been logged: the run goes on from there."""
    folder = tmp_path / "run"

    def listen(progress):
        if (progress.event, progress.step, (tmp_path / "killed").exists()) == (event, 12, False):
            shutil.copytree(folder, tmp_path / "killed")

    settings = {"data": str(drawings), "width": 4, "input_size": 64, "epochs": 3, "batch": 16, "threads": 1}
    with Run(folder, settings | {"learning_rate": 0.003, "checkpoint_steps": 2}) as begun:
        begun.train(listen)
    assert run("train", drawings, "--out", tmp_path / "killed", *QUICK, "--resume").exit_code == 0
    assert_same_run(tmp_path / "killed", whole)


@pytest.mark.slow
def test_twenty_kills_change_nothing(drawings, tmp_path):
    arguments = ("train", drawings, *QUICK, "--epochs", 12, "--checkpoint-steps", 2, "--quiet")
    whole, folder = tmp_path / "whole", tmp_path / "run"
    assert run(*arguments, "--out", whole).exit_code == 0
    moments = random.Random(20)
    killed_at = []
    while len(killed_at) < 20:
        process = subprocess.Popen(command(*arguments, "--out", folder, "--resume"), stderr=subprocess.DEVNULL)
        _wait_for_steps(process, folder / "steps.csv", moments.randint(1, 6))
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        # A run that came to its end before is compared below, but was no kill.
        if process.wait() == -signal.SIGKILL:
            killed_at.append(len(rows(folder / "steps.csv")))
        if (folder / "result.json").exists():
            assert_same_run(folder, whole)
            shutil.rmtree(folder)
    assert len(set(killed_at)) >= 8, killed_at
    assert run(*arguments, "--out", folder, "--resume").exit_code == 0
    assert_same_run(folder, whole)


def _wait_for_steps(process, steps, count):
    """Until the process has logged that many steps of its own, or is gone."""
    seen = steps.stat().st_mtime_ns if steps.exists() else 0
    while process.poll() is None and count > 0:
        time.sleep(0.002)
        changed = steps.stat().st_mtime_ns if steps.exists() else 0
        count -= changed != seen
        seen = changed


@pytest.mark.slow
def test_celeba(celeba, tmp_path):
    """A short training on real faces beats the majority guess of its training images."""
    arguments = ("--width", 8, "--input-size", 64, "--epochs", 4, "--batch", 32, "--limit", 1600, "--dropout", 0)
    result = run("train", celeba, "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 0, result.output
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert evaluation["mean"]["accuracy"] > evaluation["mean"]["training_majority"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "BLAN in the paper (CelebA)" in page and "5 o Clock Shadow" in page and page.count("data:image/jpeg") == 12

"""`blan experiment`: what the tables compare, that nothing is trained twice, what is written."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import blan
import pytest
import shapes
from blan.cli.app import app
from blan.experiments import NAMES, Plan
from blan.paper import figures
from typer.testing import CliRunner

QUICK = ("--width", "4", "--input-size", "64", "--epochs", "1", "--batch", "16", "--threads", "1")


def run(*arguments):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["experiment", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def table4(drawings, folder):
    result = run("table4", "--data", drawings, "--out", folder, *QUICK)
    assert result.exit_code == 0, result.output
    return result


def table(folder, name):
    with open(folder / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_paper_means_what_it_says():
    accuracies = [blan.paper.accuracy(blan.Trainer(width=4, input_size=64).names, data) for data in ("CelebA", "LFWA")]
    for column in accuracies:
        assert len(column.attributes) == 40
        assert 100 * column.attributes.mean() == pytest.approx(100 * column.mean, abs=0.01)
    best = max(accuracy for row in figures()["table6"].values() for accuracy in row.values())
    assert best == figures()["table6"]["0.1"]["0.1"] == figures()["table3"]["BLAN with OS"]["LFWA"]
    assert figures()["table4"]["6"] == figures()["table3"]["BLAN without OS"]["CelebA"]


@pytest.mark.parametrize(
    ("name", "count", "runnable", "with_lfwa", "with_all"),
    [
        ("table4", 6, 6, 6, 6),
        ("table5", 6, 3, 3, 6),
        ("table6", 9, 0, 0, 9),
        ("table8", 4, 0, 2, 4),
        ("table9", 8, 1, 4, 8),
        ("fig3", 1, 1, 1, 1),
    ],
)
def test_what_can_be_run_with_what_is_there(name, count, runnable, with_lfwa, with_all):
    plans = [
        Plan("celeba"),
        Plan("celeba", "lfwa"),
        Plan("celeba", "lfwa", {"encoder": "resnet34.safetensors"}),
        Plan("celeba", "lfwa", {"width": 8}, partial_suppression=True),
    ]
    cells = [plan.cells(name) for plan in plans]
    assert [len(part) for part in cells] == [count] * 4
    assert [sum(not cell.missing for cell in part) for part in cells] == [runnable, with_lfwa, with_all, with_all]


def test_an_encoder_needs_its_width():
    cell = Plan("celeba", "lfwa", {"encoder": "e", "width": 16}).cells("table6")[0]
    assert "width 64" in cell.missing


def test_trainings_differ_where_the_tables_say_so():
    rows = Plan("celeba", "lfwa", {"encoder": "e"}).cells("table9")
    settings = {cell.labels: cell.settings for cell in rows}
    assert settings["with OS", "CelebA", "CelebA"]["dropout"] == 0.5
    assert settings["without OS", "CelebA", "CelebA"]["mirror"] is False
    assert settings["with OS", "LFWA", "CelebA"]["part"] == "all"
    assert settings["with OS", "LFWA", "LFWA"]["part"] == "train"
    assert settings["with OS", "LFWA", "LFWA"]["input_size"] == 224
    assert [cell.paper for cell in rows] == [86.09, 78.55, 73.34, 91.73, 87.13, 78.86, 73.69, 91.80]
    grid = {cell.labels: (cell.settings["beta"], cell.settings["alpha"]) for cell in Plan("c").cells("table6")}
    assert all(pair == tuple(map(float, labels)) for labels, pair in grid.items()) and len(grid) == 9


def test_table4(table4, folder):
    rows = table(folder, "table4")
    assert [row["row"] for row in rows] == list("123456")
    assert [row["paper"] for row in rows] == ["88.89", "90.14", "89.83", "90.93", "91.51", "91.73"]
    assert all(0 <= float(row["here"]) <= 100 for row in rows)
    for row in rows:
        assert row["here"] in table4.stdout and row["paper"] in table4.stdout
    text = (folder / "table4.md").read_text()
    for part in ("width 4 (paper: 64)", "batch 16 (paper: 64)", "input_size 64 (paper: 256)", "1 epochs", "16 images"):
        assert part in text, part
    content = json.loads((folder / "table4.json").read_text())
    assert [cell["settings"]["variant"] for cell in content["cells"]] == [1, 2, 3, 4, 5, 6]
    for cell, row in zip(content["cells"], rows, strict=True):
        assert f"{cell['accuracy']:.2f}" == row["here"]
        test = next((folder / cell["folder"]).glob("test-*.json"))
        assert json.loads(test.read_text())["mean"]["accuracy"] * 100 == cell["accuracy"]


def test_what_is_finished_is_not_run_again(table4, drawings, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/*")}
    again = run("table4", "--data", drawings, "--out", folder, *QUICK)
    assert again.exit_code == 0 and "row 1 of 6" not in again.stderr
    shared = run("fig3", "--data", drawings, "--out", folder, *QUICK)
    assert shared.exit_code == 0
    after = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/*")}
    assert after == before


def test_other_settings_are_other_trainings(table4, drawings, folder):
    before = set(folder.glob("cells/*"))
    arguments = ("fig3", "--data", drawings, "--out", folder, *QUICK, "--seed", 9)
    assert run(*arguments).exit_code == 0
    assert len(set(folder.glob("cells/*")) - before) == 1


def test_rows_that_cannot_be_run_say_why(table4, drawings, folder):
    result = run("table5", "--data", drawings, "--out", folder, *QUICK)
    assert result.exit_code == 0
    rows = table(folder, "table5")
    assert [row["suppression"] for row in rows] == ["without OS"] * 3 + ["with OS"] * 3
    assert all(row["here"] == "-" and "ImageNet" in row["note"] for row in rows[3:])
    assert all(float(row["here"]) >= 0 for row in rows[:3])
    assert rows[0]["here"] == table(folder, "table4")[5]["here"]
    assert "LFWA" in (folder / "table5.md").read_text()


def test_nothing_to_run(drawings, tmp_path):
    result = run("table8", "--data", drawings, "--out", tmp_path / "out", *QUICK)
    assert result.exit_code == 0
    assert all("--lfwa" in row["note"] for row in table(tmp_path / "out", "table8"))


def test_fig3_marks_the_best_level(tmp_path):
    names = ("Young", "Big_Nose", "Round")
    data = shapes.write(tmp_path / "data", 60, attributes=names)
    assert run("fig3", "--data", data, "--out", tmp_path / "out", *QUICK).exit_code == 0
    rows = table(tmp_path / "out", "fig3")
    assert [row["attribute"] for row in rows] == ["Big_Nose", "Young", "mean of all attributes"]
    assert [row["paper's best"] for row in rows[:2]] == ["AC_2", "AC_3 or AC_2"]
    for row in rows[:2]:
        values = {level: row[level] for level in ("AC_1", "AC_2", "AC_3", "AC_4")}
        best = max(map(float, values.values()))
        assert row["best here"] == " ".join(level for level, value in values.items() if float(value) == best)


def test_wrong_usage(drawings, tmp_path):
    assert run("table7", "--data", drawings, "--out", tmp_path).exit_code == 2
    assert run("table4", "--data", drawings).exit_code == 2
    assert run("table4", "--data", drawings, "--out", tmp_path, "--variant", 2).exit_code == 2
    with pytest.raises(blan.InvalidArgumentError, match="table4"):
        Plan("data").cells("table7")
    assert set(NAMES) == {"table4", "table5", "table6", "table8", "table9", "fig3"}


def test_an_interrupted_experiment_goes_on(table4, drawings, folder, tmp_path):
    arguments = ["experiment", "table4", "--data", str(drawings), "--out", str(tmp_path / "out"), *QUICK]
    process = subprocess.Popen(
        [sys.executable, "-m", "blan.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "out").glob("cells/*/steps.csv"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130 and "goes on" in messages and "Traceback" not in messages
    notes = [row["note"] for row in table(tmp_path / "out", "table4")]
    assert notes[0] == "-" and notes[-1] == "not finished"
    assert run(*arguments[1:]).exit_code == 0
    assert table(tmp_path / "out", "table4") == table(folder, "table4")

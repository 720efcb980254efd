"""Training by several processes under mpirun, beside training by one."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import blan
import numpy as np
import pytest
import shapes
from safetensors.numpy import load_file

pytest.importorskip("mpi4py")

# Adam turns a gradient's rounding into a step of either sign, and batch norm over two images makes much of it: with a
# small step, rounding stays rounding. That no process's gradient is lost or counted twice, Adam's moments tell; a ReLU
# at its kink may move them by some hundredths.
SETTINGS = {"width": 4, "input_size": 64, "epochs": 2, "batch": 12, "threads": 1, "workers": 1, "learning_rate": 1e-7}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]

RUN = """
import sys
from mpi4py import MPI
from blan.training import Run
from blan.training.processes import MPIProcesses, processes_of

data, out, stop = sys.argv[1:4]
comm = MPI.COMM_WORLD
settings = eval(sys.argv[4])

def listen(progress):
    # The last process stops the run.
    return not (comm.rank == comm.size - 1 and progress.event == "step" and progress.step == int(stop))

with Run(out, {"data": data, **settings}, resume=True, processes=processes_of(comm)) as run:
    run.train(listen)
"""

CRASH = """
import sys
from mpi4py import MPI
from blan import Dataset, Trainer
from blan.training.processes import MPIProcesses

comm = MPI.COMM_WORLD
with MPIProcesses(comm).ending_together(seconds=0.2):
    trainer = Trainer(width=4, input_size=64, attributes=["round", "red", "large"], threads=1, comm=comm)
    if comm.rank == 1:
        raise RuntimeError("a defect of one process")
    trainer.fit(Dataset.open(sys.argv[1]), epochs=1)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """14 images to train on, in batches of 12: the second has two, fewer than processes."""
    return shapes.write(tmp_path_factory.mktemp("small"), count=22)


def mpirun(processes, *arguments):
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun: apt-get install openmpi-bin")
    flags = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(processes)]
    return ["mpirun", *flags, sys.executable, *map(str, arguments)]


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(blan.__file__).parents[1]), "OMPI_MCA_mpi_yield_when_idle": "1"}


def completed(command, timeout=120):
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=timeout)


def script(folder, text):
    path = folder / "script.py"
    path.write_text(text)
    return path


def assert_close(folder, whole):
    """Weights and losses of two runs are the same but for rounding."""
    ours, theirs = load_file(folder / "last.safetensors"), load_file(whole / "last.safetensors")
    assert ours.keys() == theirs.keys()
    moments = [name for name in ours if name.startswith("adam.")]
    assert moments
    for names, tolerance in ((ours.keys() - moments, 1e-4), (moments, 0.1)):
        flat, expected = (np.concatenate([tensors[name].ravel() for name in names]) for tensors in (ours, theirs))
        assert np.linalg.norm(flat - expected) <= tolerance * np.linalg.norm(expected)
    steps, expected_steps = (list(csv.DictReader((path / "steps.csv").open())) for path in (folder, whole))
    assert len(steps) == len(expected_steps) > 2
    for row, other in zip(steps, expected_steps, strict=True):
        assert float(row["total"]) == pytest.approx(float(other["total"]), rel=1e-4)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """The folder of a run by one process."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    with blan.training.Run(folder, {"data": str(small), **SETTINGS}) as run:
        run.train()
    return folder


@pytest.mark.parametrize("processes", [2, 4])
def test_mpirun_trains_like_one_process(small, whole, tmp_path, processes):
    result = completed(mpirun(processes, "-m", "blan.cli", "train", small, "--out", tmp_path / "run", *FLAGS))
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("epoch 2/2") == 1 and f"{processes} processes" in result.stderr
    assert_close(tmp_path / "run", whole)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_run_goes_on_with_another_number_of_processes(small, whole, tmp_path):
    run, program = tmp_path / "run", script(tmp_path, RUN)
    result = completed(mpirun(3, program, small, run, 1, SETTINGS))
    assert result.returncode == 0, result.stderr
    assert len((run / "steps.csv").read_text().splitlines()) == 2
    result = completed(mpirun(2, program, small, run, 3, SETTINGS))
    assert result.returncode == 0, result.stderr
    with blan.training.Run(run, {}, resume=True) as last:
        assert any("processes is 1, but was 2" in note for note in last.notes)
        assert last.train().finished
    assert_close(run, whole)


def test_an_unreadable_image_ends_all_with_one_message(small, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(small, data)
    image = sorted(data.rglob("*.png"))[5]
    image.write_bytes(b"")
    result = completed(mpirun(2, "-m", "blan.cli", "train", data, "--out", tmp_path / "run", *FLAGS))
    assert result.returncode == 1
    assert result.stderr.count("error:") == 1 and image.name in result.stderr


def test_a_signal_to_one_process_stops_all(small, tmp_path):
    flags = [flag for flag in FLAGS if "epochs" not in flag] + ["--epochs=10000"]
    process = subprocess.Popen(
        mpirun(2, "-m", "blan.cli", "train", small, "--out", tmp_path / "run", *flags),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        steps = tmp_path / "run" / "steps.csv"
        deadline = time.monotonic() + 60
        while not (steps.exists() and len(steps.read_text().splitlines()) > 2):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGINT)
        text = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert text.count("stopped after step") == 1
    assert (tmp_path / "run" / "last.safetensors").exists()


def test_a_process_that_fails_alone_ends_the_others(small, tmp_path):
    result = completed(mpirun(2, script(tmp_path, CRASH), small), timeout=60)
    assert result.returncode != 0
    assert "process 1 of 2 ends all" in result.stderr and "a defect of one process" in result.stderr

"""The command line over thousands of faces: a bar that moves, a row for each, memory that does not grow."""

from __future__ import annotations

import csv
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "blan.cli", "predict", "--aligned", "--batch", "8"]


def on_a_terminal(command: list[str]) -> tuple[int, str]:
    """Runs a command with stderr on a terminal of its own: exit status, and all that it wrote there."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    pieces = []
    while True:
        try:
            pieces.append(os.read(ours, 65536))
        except OSError:  # the terminal is closed once the process has ended
            break
    os.close(ours)
    return process.wait(timeout=60), b"".join(pieces).decode()


def test_the_bar_moves(model_path, photo, tmp_path):
    count = 600
    arguments = [*[str(photo)] * count, "--model", str(model_path), "--csv", str(tmp_path / "out.csv")]
    status, screen = on_a_terminal([*COMMAND, *arguments])
    assert status == 0
    shown = [int(number) for number in re.findall(rf"(\d+)/{count}", screen)]
    assert shown == sorted(shown) and len(set(shown)) >= 3
    assert "photos/s" in screen
    with (tmp_path / "out.csv").open() as file:
        assert sum(1 for _ in file) == 1 + count


def test_no_bar_for_a_single_face_and_none_when_quiet(model_path, photo, tmp_path):
    out = str(tmp_path / "out.csv")
    for arguments in ([str(photo)], [*[str(photo)] * 100, "--quiet"]):
        status, screen = on_a_terminal([*COMMAND, *arguments, "--model", str(model_path), "--csv", out])
        assert status == 0
        assert "predicting" not in screen


@pytest.mark.slow
def test_memory_is_flat_over_eight_thousand_faces(model_path, celeba, tmp_path):
    faces, out = celeba / "img_align_celeba", tmp_path / "out.csv"
    arguments = [str(faces), "--model", str(model_path), "--csv", str(out), "--quiet"]
    process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
    resident: list[tuple[int, int]] = []  # bytes of the CSV written, bytes of memory
    while process.poll() is None:
        if out.exists():
            resident.append((out.stat().st_size, _resident(process.pid)))
        time.sleep(0.05)
    assert process.returncode == 0, process.stderr.read()
    with out.open() as file:
        rows = list(csv.DictReader(file))
    count = sum(1 for _ in faces.glob("*.jpg"))
    assert len(rows) == count and {row["status"] for row in rows} == {"ok"}

    bytes_a_row = out.stat().st_size / count
    later = [memory for written, memory in resident if memory and written > 100 * bytes_a_row]
    assert len(later) >= 10
    assert max(later) - later[0] < 4 << 20, (later[0], max(later))


def _resident(pid: int) -> int:
    """Bytes of memory in use by a process; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0

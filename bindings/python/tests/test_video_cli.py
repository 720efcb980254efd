"""`blan video` and examples/opencv: what is written where, and that an interrupt leaves whole files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import blan
import clips
import numpy as np
import pytest
from blan.cli.app import app
from conftest import REPOSITORY
from typer.testing import CliRunner

cv2 = pytest.importorskip("cv2")

COUNT = 20


@pytest.fixture(scope="module")
def clip(whole_photo, tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.avi"
    return clips.write(cv2, path, clips.frames(cv2, whole_photo, COUNT))


def run(*arguments):
    return CliRunner().invoke(app, ["video", *map(str, arguments)])


def frames_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def test_video_and_lines(clip, model_path, model, tmp_path):
    out, lines = tmp_path / "out.mp4", tmp_path / "faces.jsonl"
    result = run(clip, out, "--jsonl", lines, "--model", model_path)
    assert result.exit_code == 0 and result.stdout == ""
    said = result.stderr.replace("\n", " ")
    assert "NOT TRAINED" in said and f"wrote {out} and {lines}: {COUNT} frames, 1 face" in said
    objects = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [content["frame"] for content in objects] == list(range(COUNT))
    for content in objects:
        keys = "source frame time track detected trained face attributes probabilities"
        assert " ".join(content) == keys
        assert (content["source"], content["track"], content["trained"]) == (str(clip), 1, False)
        assert content["time"] == pytest.approx(content["frame"] / clips.FPS, abs=1e-3)
        assert content["detected"] == (content["frame"] % 5 == 0)
        assert len(content["face"]["box"]) == 4 and np.shape(content["face"]["landmarks"]) == (5, 2)
        assert tuple(content["probabilities"]) == model.names
        assert all(0 <= p <= 1 for p in content["probabilities"].values())
    frames = frames_of(out)
    assert len(frames) == COUNT and frames[0].shape == (clips.HEIGHT, clips.WIDTH, 3)
    plain = frames_of(clip)
    assert np.abs(frames[5].astype(int) - plain[5]).max() > 60  # boxes and text


def test_lines_go_to_stdout_without_an_output(clip, model_path):
    result = run(
        clip, "--model", model_path, "--frames", 7, "--predict-every", 3, "--detect-every", 2, "--smoothing", 0
    )
    assert result.exit_code == 0
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [content["detected"] for content in objects] == [True, False] * 3 + [True]
    assert "7 frames, 1 face" in result.stderr
    quiet = run(clip, "--model", model_path, "--frames", 1, "--quiet", "--max-faces", 1, "--min-face", 300)
    assert quiet.exit_code == 0 and quiet.stdout == "" and "frames" not in quiet.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["gone.mp4"], 1, "cannot read gone.mp4: No such file"),
        (["63"], 1, "camera 63"),
        (["{clip}", "{folder}/out.xyz"], 1, "a video's name ends in"),
        (["{clip}", "{folder}/nowhere/out.mp4"], 1, "cannot write"),
        (["{clip}", "--jsonl", "{folder}/nowhere/x"], 1, "cannot write"),
        (["{clip}", "--jsonl", "/dev/full"], 1, "cannot write /dev/full: No space left"),
        (["{clip}", "{clip}"], 2, "is IN itself"),
        (["{clip}", "--jsonl", "{clip}"], 2, "is IN itself"),
        (["{clip}", "{folder}/a.mp4", "--jsonl", "{folder}/a.mp4"], 2, "is OUT as well"),
        (["{clip}", "--detect-every", "0"], 2, "--detect-every"),
        (["{clip}", "--threshold", "2"], 2, "--threshold"),
        ([], 2, "IN"),
    ],
)
def test_what_cannot_be_is_said(clip, model_path, tmp_path, arguments, status, text):
    before = clip.read_bytes()
    filled = [argument.format(clip=clip, folder=tmp_path) for argument in arguments]
    result = run(*filled, "--model", model_path)
    assert result.exit_code == status
    assert isinstance(result.exception, SystemExit if status == 2 else blan.BlanError)
    assert text in (str(result.exception) if status == 1 else " ".join(result.stderr.split()).replace("│ ", ""))
    assert list(tmp_path.iterdir()) == [] and clip.read_bytes() == before


def test_a_file_that_is_no_video_gives_one_line(model_path, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video" * 100)
    command = [sys.executable, "-m", "blan.cli", "video", str(text), "--model", str(model_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: {text} is not a video that OpenCV can decode\n"


def test_a_damaged_file_gives_what_it_holds_and_a_warning(clip, model_path, tmp_path):
    damaged = tmp_path / "damaged.avi"
    content = clip.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    result = run(damaged, "--model", model_path)
    assert result.exit_code == 0
    assert 0 < len(result.stdout.splitlines()) < COUNT
    assert f"announces {COUNT} frames" in result.stderr


def test_interrupt_leaves_a_finished_video_and_whole_lines(whole_photo, model_path, tmp_path):
    clip = clips.write(cv2, tmp_path / "clip.avi", (f for _ in range(40) for f in clips.frames(cv2, whole_photo, 25)))
    out, lines = tmp_path / "out.mp4", tmp_path / "faces.jsonl"
    arguments = [clip, out, "--jsonl", lines, "--model", model_path]
    # A shell starts background jobs with interrupts ignored, which would be inherited.
    process = subprocess.Popen(
        [sys.executable, "-m", "blan.cli", "video", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (lines.exists() and lines.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in messages and "Traceback" not in messages
    text = lines.read_text()
    frames = [json.loads(line)["frame"] for line in text.splitlines()]
    assert text.endswith("\n") and len(frames) < 1000
    assert len(frames_of(out)) == max(frames) + 1
    assert {entry.name for entry in tmp_path.iterdir()} == {"clip.avi", "out.mp4", "faces.jsonl"}


def test_example(clip, tmp_path):
    script, out = REPOSITORY / "examples" / "opencv" / "video.py", tmp_path / "out.mp4"
    command = [sys.executable, str(script), str(clip), "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["   0.00 s: face 1 begins to show Smiling"]
    assert len(frames_of(out)) == COUNT
    gone = subprocess.run([sys.executable, str(script), "gone.avi"], capture_output=True, text=True, check=False)
    assert gone.returncode == 1
    assert "gone.avi" in gone.stderr and "Traceback" not in gone.stderr

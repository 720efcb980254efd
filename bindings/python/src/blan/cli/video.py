"""`blan video`: the faces of a video, to JSON lines and to a video with their attributes drawn in."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..detection import Detector
from ..errors import FileError
from ..model import load
from ..video import FaceTracker, Video, VideoWriter
from .console import UNTRAINED, note, warn
from .interrupts import Interrupts
from .options import ComputedWith, MinFace, ModelFile, Quiet, Threads, Threshold, chosen
from .progress import progress_over

EXAMPLES = """\b
Examples:
  blan video clip.mp4 annotated.mp4
  blan video clip.mp4 --jsonl faces.jsonl --detect-every 10
  blan video 0 webcam.mp4 --frames 300
"""


def video(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN", help="Video file, a webcam's number (0 is the first), or an address (rtsp://...)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Argument(metavar="OUT", help="Write the video with boxes and attributes: .mp4, .mov, .mkv or .avi."),
    ] = None,
    model: ModelFile = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a JSON object a face and frame; - for stdout, the default without OUT."
        ),
    ] = None,
    detect_every: Annotated[
        int, typer.Option(metavar="N", min=1, help="Look for faces in every N-th frame; follow them in between.")
    ] = 5,
    predict_every: Annotated[
        int, typer.Option(metavar="N", min=1, help="Predict a face's attributes in every N-th frame.")
    ] = 1,
    smoothing: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="Time constant of the mean of probabilities over time; 0 = none."),
    ] = 0.5,
    min_face: MinFace = 40,
    max_faces: Annotated[
        int, typer.Option(metavar="N", min=0, help="Only the largest N faces of a frame; 0 = all.")
    ] = 0,
    threshold: Threshold = None,
    top: Annotated[int, typer.Option(metavar="N", min=0, help="Attributes drawn beside a face.")] = 5,
    frames: Annotated[int, typer.Option(metavar="N", min=0, help="Stop after N frames; 0 = at the end.")] = 0,
    threads: Threads = 0,
    precision: ComputedWith = None,
    quiet: Quiet = False,
) -> None:
    """Find the faces of a video, follow them, and predict their attributes.

    A face keeps its number while it is followed, and its probabilities are averaged over time. Ctrl-C ends a webcam's
    recording; of a file, what was written so far is whole, and the exit status is 130.
    """
    place = source if not source.isdigit() else int(source)
    _check_outputs(source, out, jsonl)
    # What OpenCV and its FFmpeg say goes to stderr beside our own messages; both read this when they are loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    with load(model, threads=threads, precision=chosen(precision)) as network, contextlib.ExitStack() as stack:
        tracker = FaceTracker(
            network,
            detector=Detector(min_face=min_face, max_faces=max_faces, threads=network.threads),
            detect_every=detect_every,
            predict_every=predict_every,
            smoothing=smoothing,
            threshold=threshold,
        )
        opened = stack.enter_context(Video(place, tracker))
        if not network.trained:
            warn(UNTRAINED)
        writer = stack.enter_context(opened.writer(out)) if out is not None else None
        lines = _lines(jsonl, out, stack)
        done, interrupted = _run(opened, writer, lines, top, frames, quiet)
    if not quiet:
        _note_files(opened, out, jsonl, done)
    if interrupted and not opened.live:
        note(f"interrupted after {done} frames; what is written so far is whole")
        raise typer.Exit(130)
    # Some containers know their number of frames only nearly.
    if opened.frame_count is not None and not frames and done + 1 < 0.98 * opened.frame_count:
        warn(f"{source} announces {opened.frame_count} frames; only {done} could be decoded")


def _check_outputs(source: str, out: Path | None, jsonl: Path | None) -> None:
    for path, hint in ((out, "OUT"), (jsonl, "--jsonl")):
        if path is not None and path.exists() and os.path.exists(source) and path.samefile(source):
            raise typer.BadParameter(f"{path} is IN itself: name another file", param_hint=hint)
    if out is not None and jsonl is not None and out.absolute() == jsonl.absolute():
        raise typer.BadParameter(f"{jsonl} is OUT as well: name another file", param_hint="--jsonl")


class _Lines:
    """JSON objects, one a line, each frame's on their way at once: another program may read along."""

    def __init__(self, path: Path | None, stack: contextlib.ExitStack) -> None:
        self._path = path
        if path is not None:
            try:
                self._file = stack.enter_context(path.open("wb", buffering=0))
            except OSError as error:
                raise FileError(f"cannot write {path}: {error.strerror}") from error

    def write(self, objects: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(content, ensure_ascii=False) + "\n" for content in objects)
        if self._path is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        left = text.encode("utf-8", "surrogateescape")
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise FileError(f"cannot write {self._path}: {error.strerror}") from error


def _lines(jsonl: Path | None, out: Path | None, stack: contextlib.ExitStack) -> _Lines | None:
    if jsonl is None and out is not None:
        return None
    return _Lines(None if jsonl is None or str(jsonl) == "-" else jsonl, stack)


def _run(
    source: Video, writer: VideoWriter | None, lines: _Lines | None, top: int, frames: int, quiet: bool
) -> tuple[int, bool]:
    """Goes through the video; how many frames were done, and whether Ctrl-C ended it."""
    total = source.frame_count
    if frames:
        total = min(frames, total or frames)
    done = 0
    with Interrupts(lambda: None) as interrupts, progress_over("watching", total, quiet, "frames") as advance:
        for frame in source:
            if lines is not None:
                lines.write(frame.to_dicts())
            if writer is not None:
                writer.write(frame.draw(top), frame.time if source.live else None)
            done += 1
            advance(done, total)
            if done == frames or interrupts.requested:
                break
        return done, interrupts.requested


def _note_files(source: Video, out: Path | None, jsonl: Path | None, done: int) -> None:
    faces = source.tracker.tracks
    found = f"{done} frames, {faces or 'no'} face{'' if faces == 1 else 's'}"
    files = [str(path) for path in (out, jsonl) if path is not None and str(path) != "-"]
    note(f"wrote {' and '.join(files)}: {found}" if files else found)

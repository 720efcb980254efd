"""Video files and cameras, frame by frame."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import FileError, FormatError
from ._opencv import opencv
from .drawing import draw
from .tracker import FaceTracker, TrackedFace
from .writer import VideoWriter


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame and its faces.

    Attributes:
        index: from 0.
        time: seconds since the first frame: the file's own time stamp, or a clock's for a camera.
        pixels: HxWx3 of uint8, BGR as OpenCV has it.
        faces: those in it, followed longest first.
        source: the file or camera.
    """

    index: int
    time: float
    pixels: np.ndarray
    faces: list[TrackedFace]
    source: str

    def draw(self, top: int = 5) -> np.ndarray:
        """A copy of the pixels with each face's box, number and likeliest `top` attributes."""
        return draw(self.pixels.copy(), self.faces, top)

    def to_dicts(self) -> list[dict[str, Any]]:
        """An object a face as JSON can hold it: `TrackedFace.to_dict` with source, frame and time."""
        head = {"source": self.source, "frame": self.index, "time": round(self.time, 6)}
        return [head | face.to_dict() | {"source": self.source} for face in self.faces]


class Video:
    """A video whose faces are found and followed: an iterator over `VideoFrame`.

        with blan.Video("clip.mp4") as video:
            for frame in video:
                for face in frame.faces:
                    print(frame.time, face.track, face.attributes)

    Frames are decoded as they are asked for, and each is handed to the library where OpenCV decoded it, without a copy.
    A video belongs to one thread at a time.

    Args:
        source: a file; a camera's number, 0 the first; or an address that OpenCV reads, such as rtsp://...
        tracker: what follows the faces; None = `FaceTracker()`. It is for this video alone.

    Attributes:
        source: as text.
        live: whether it is a camera or an address: without an end of its own, and as fast as it is.
        width, height: in pixels.
        fps: frames a second; 30 where the source does not say.
        frame_count: how many frames the file says that it holds; None for a live source, or where it does not say.
        tracker: what follows the faces.

    Raises:
        FileError: the file or camera cannot be opened.
        FormatError: the file is no video that OpenCV can decode, or holds no frame.
        UnsupportedError: OpenCV is missing: ``pip install "blan[opencv]"``.
    """

    def __init__(self, source: str | os.PathLike[str] | int, tracker: FaceTracker | None = None) -> None:
        cv2 = opencv()
        self.source = str(source) if isinstance(source, int) else os.fspath(source)
        self.live = isinstance(source, int) or "://" in self.source
        self._capture = _opened(source, self.source, self.live)
        self._index = 0
        self._pixels = self._read()
        if self._pixels is None:
            self._capture.release()
            raise FormatError(
                f"{self.source}: {'gives no frame' if self.live else 'holds no frame that can be decoded'}"
            )
        self._started = time.monotonic()
        self._time = 0.0
        self._first_stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        self.height, self.width = self._pixels.shape[:2]
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 0 < fps <= 1000 else 30.0
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frame_count = int(count) if not self.live and 0 < count < 2**40 else None
        try:
            self.tracker = FaceTracker() if tracker is None else tracker
        except BaseException:
            self._capture.release()
            raise

    def __iter__(self) -> Iterator[VideoFrame]:
        return self

    def __next__(self) -> VideoFrame:
        """The next frame; the first one was decoded when the video was opened."""
        if self._index > 0:
            self._pixels = self._read()
            self._time = self._time_of_frame()
        pixels = self._pixels
        if pixels is None:
            raise StopIteration
        faces = self.tracker.update(pixels, self._time)
        frame = VideoFrame(self._index, self._time, pixels, faces, self.source)
        self._index += 1
        return frame

    def writer(self, path: str | os.PathLike[str]) -> VideoWriter:
        """A file for frames of this video's size and speed; see `VideoWriter`."""
        return VideoWriter(path, self.width, self.height, self.fps)

    def close(self) -> None:
        """Closes the file or camera; no further frame is given."""
        self._capture.release()
        self._index, self._pixels = max(self._index, 1), None

    def _read(self) -> np.ndarray | None:
        more, pixels = self._capture.read()
        return pixels if more else None

    def _time_of_frame(self) -> float:
        """Seconds since the first frame, never back: a file without time stamps goes by its frames a second."""
        if self.live:
            return time.monotonic() - self._started
        stamp = (self._capture.get(opencv().CAP_PROP_POS_MSEC) - self._first_stamp) / 1000
        return stamp if stamp > self._time else self._time + 1 / self.fps

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _opened(source: str | os.PathLike[str] | int, name: str, live: bool) -> Any:
    cv2 = opencv()
    if not live:
        try:
            with open(name, "rb"):
                pass
        except OSError as error:
            raise FileError(f"cannot read {name}: {error.strerror}") from error
    capture = cv2.VideoCapture(source if isinstance(source, int) else name)
    if not capture.isOpened():
        capture.release()
        if isinstance(source, int):
            raise FileError(f"cannot open camera {name}: there is none of this number, or another program uses it")
        if live:
            raise FileError(f"cannot open {name}")
        raise FormatError(f"{name} is not a video that OpenCV can decode")
    if isinstance(source, int):
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not one that waited
    return capture

"""Writing video files that are whole."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType

import numpy as np

from .._files import TEMPORARY, put_in_place
from ..errors import FileError, InvalidArgumentError, ShapeError
from ._opencv import opencv

_CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""Codec by suffix: what every OpenCV from PyPI can encode."""


class VideoWriter:
    """A video file that appears when it is closed, whole: until then it is written beside its place.

    It has no sound. ``with`` closes it, also after an error or Ctrl-C: what was written so far is a finished video.

    Args:
        path: .mp4, .m4v, .mov or .mkv (MPEG-4), or .avi (Motion JPEG).
        width, height: of the frames in pixels. An odd last column or row is left out: the codecs want even numbers.
        fps: frames a second.

    Raises:
        InvalidArgumentError: another suffix.
        FileError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], width: int, height: int, fps: float) -> None:
        cv2 = opencv()
        self.path = os.fspath(path)
        self.frames = 0
        self._shape, self._fps = (height, width, 3), fps
        suffix = os.path.splitext(self.path)[1].lower()
        if suffix not in _CODECS:
            known = ", ".join(_CODECS)
            raise InvalidArgumentError(f"{self.path}: a video's name ends in one of {known}")
        if os.path.isdir(self.path):
            raise FileError(f"cannot write {self.path}: Is a directory")
        try:
            descriptor, self._temporary = tempfile.mkstemp(
                suffix, TEMPORARY, os.path.dirname(os.path.abspath(self.path))
            )
            os.close(descriptor)
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror}") from error
        code = cv2.VideoWriter_fourcc(*_CODECS[suffix])
        self._writer = cv2.VideoWriter(self._temporary, code, fps, (width, height))
        if not self._writer.isOpened():
            os.unlink(self._temporary)
            raise FileError(
                f"cannot write {self.path}: OpenCV cannot encode {width} x {height} pixels at {fps:g} a second"
            )

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Appends a frame.

        Args:
            frame: height x width x 3 of uint8, BGR.
            time: seconds since the first frame, for frames that come when they come, as a camera's do: the frame before
                is repeated until then, or this one left out where frames come too fast, so that the video plays at the
                speed at which it was seen. None = this frame follows the last one.

        Raises:
            ShapeError: the frame has another size.
        """
        if frame.shape != self._shape:
            raise ShapeError(f"frame {self.frames} of {self.path} has shape {frame.shape}; expected {self._shape}")
        if time is not None and self.frames > 0:
            due = round(time * self._fps)
            if due < self.frames - 1:
                return
            for _ in range(due - self.frames):
                self._append(self._last)
        self._append(frame)
        self._last = frame

    def close(self) -> None:
        """Finishes the file and puts it in its place. Without a frame there is no file.

        Raises:
            FileError: not all could be written, as on a full disk; what was at `path` is unchanged.
        """
        if not self._temporary:
            return
        self._writer.release()
        temporary, self._temporary = self._temporary, ""
        try:
            if self.frames == 0:
                return
            # OpenCV tells of no error while writing. The count stands in what is written last.
            if abs(_count(temporary) - self.frames) > 1:
                raise FileError(f"cannot write all {self.frames} frames of {self.path}: is the disk full?")
            put_in_place(temporary, self.path)
        except FileError:
            raise
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror}") from error
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)

    def _append(self, frame: np.ndarray) -> None:
        self._writer.write(frame)
        self.frames += 1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _count(path: str) -> float:
    cv2 = opencv()
    capture = cv2.VideoCapture(path)
    try:
        return capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
    finally:
        capture.release()

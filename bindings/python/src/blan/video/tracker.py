"""Faces that keep their number from frame to frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..detection import Detector, Face
from ..errors import InvalidArgumentError
from ..images import Color, pixels_of
from ..model import Model, load
from ..prediction import Prediction
from ._opencv import opencv
from .boxes import match
from .flow import follow
from .smoothing import Smoother

_OVERLAP = 0.3
"""Intersection over union from which a face that was detected is one that was followed."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face in one frame.

    Attributes:
        track: its number, from 1; a face keeps it for as long as it is followed.
        detected: whether the detector found it in this frame; else it was followed here from an earlier one.
        face: where it is; the score is that of its last detection.
        prediction: its attributes, smoothed over time.
        raw: N floats: the probabilities of this frame alone; None where it was not predicted.
    """

    track: int
    detected: bool
    face: Face
    prediction: Prediction
    raw: np.ndarray | None

    @property
    def attributes(self) -> dict[str, float]:
        """The attributes that count as present and their smoothed probabilities, most likely first."""
        return self.prediction.attributes

    def to_dict(self) -> dict[str, Any]:
        """The face as JSON can hold it: `Prediction.to_dict` with `track` and `detected`."""
        return {"track": self.track, "detected": self.detected} | self.prediction.to_dict()


@dataclass
class _Track:
    """What is remembered of a face. `since` is when it was last detected, or lost by the flow where `lost` says so."""

    number: int
    face: Face
    smoother: Smoother
    since: float
    detected: bool = True
    lost: bool = False
    predicted_at: float = 0.0
    average: np.ndarray | None = None
    raw: np.ndarray | None = None


class FaceTracker:
    """Finds faces in the frames of a video and follows them.

    Faces are detected every `detect_every` frames; those that overlap a followed face (intersection over union from
    0.3, the largest first) are that face. In between, a face's box and landmarks move by the optical flow of its
    landmarks and of a grid of points, checked forward and back (see docs/video.md). A followed face that detections
    miss is given up `patience` seconds after it was last detected. One that the flow loses is looked for in every frame
    for as long, and has its number again where it is detected near its old place; meanwhile it is not given.

    Probabilities are the mean over time of the log-odds, weighted by exp(-age / smoothing).

    A tracker belongs to one thread at a time, and to one video.

    Args:
        model: the model; None = the bundled one.
        detector: the face detector; None = the bundled one, for faces from 40 pixels, on the model's threads.
        detect_every: frames from one detection to the next, from 1.
        predict_every: frames from one prediction of a face to its next, from 1; its first frame is always predicted.
        smoothing: the time constant in seconds; 0 = each prediction alone.
        patience: seconds, from 0.
        threshold: probability from which an attribute counts as present, instead of the model's own.

    Raises:
        InvalidArgumentError: a number is out of range.
        UnsupportedError: OpenCV is missing: ``pip install "blan[opencv]"``.
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        detector: Detector | None = None,
        detect_every: int = 5,
        predict_every: int = 1,
        smoothing: float = 0.5,
        patience: float = 0.5,
        threshold: float | None = None,
    ) -> None:
        for name, value in (("detect_every", detect_every), ("predict_every", predict_every)):
            if value < 1:
                raise InvalidArgumentError(f"{name} is {value}; expected 1 or more")
        for name, value in (("smoothing", smoothing), ("patience", patience)):
            if not 0 <= value < math.inf:
                raise InvalidArgumentError(f"{name} is {value}; expected 0 or more seconds")
        if threshold is not None and not 0 <= threshold <= 1:
            raise InvalidArgumentError(f"threshold is {threshold}; expected 0 to 1")
        opencv()  # a missing extra is said here, not at the first frame
        self.model = load() if model is None else model
        self.detector = Detector(min_face=40, threads=self.model.threads) if detector is None else detector
        self._detect_every, self._predict_every = detect_every, predict_every
        self._smoothing, self._patience, self._threshold = smoothing, patience, threshold
        self._tracks: list[_Track] = []
        self._begun = 0
        self._frames = 0
        self._grey: np.ndarray | None = None
        self._now = 0.0

    @property
    def tracks(self) -> int:
        """How many faces were numbered so far."""
        return self._begun

    def update(self, frame: np.ndarray, time: float, *, color: Color = "bgr") -> list[TrackedFace]:
        """Takes the next frame and gives its faces, those followed longest first.

        Args:
            frame: HxWx3 of uint8. Rows may be any distance apart (a view of a larger array): the library reads the
                frame where it is. It is not changed, and may be once this returns.
            time: of the frame in seconds; times that go back count as no time passed.
            color: order of the frame's channels; OpenCV's is "bgr".

        Raises:
            ShapeError, InvalidArgumentError: the frame is no such array.
        """
        pixels = pixels_of(frame, color)
        grey = _grey(pixels.owner, color)
        self._now = max(self._now, time)
        for track in self._tracks:
            track.detected, track.raw = False, None
        self._follow(grey)
        if self._frames % self._detect_every == 0 or any(track.lost for track in self._tracks):
            self._detect(frame, color)
        self._grey = grey
        shown = [track for track in self._tracks if not track.lost]
        self._predict(frame, color, shown)
        self._frames += 1
        return [self._given(track) for track in shown]

    def _follow(self, grey: np.ndarray) -> None:
        """Moves the faces to the new frame."""
        followed = [track for track in self._tracks if not track.lost]
        if self._grey is None or self._grey.shape != grey.shape:
            places: list[Face | None] = [None] * len(followed)
        else:
            places = follow(self._grey, grey, [track.face for track in followed])
        for track, face in zip(followed, places, strict=True):
            if face is None:
                track.lost, track.since = True, self._now
            else:
                track.face = face

    def _detect(self, frame: np.ndarray, color: Color) -> None:
        """Finds faces, gives known ones their new place, begins tracks for the others and ends what is gone."""
        found = self.detector.detect(frame, color=color)
        pairs = match([track.face.box for track in self._tracks], [face.box for face in found], _OVERLAP)
        for row, column in pairs:
            track = self._tracks[row]
            track.face, track.since, track.detected, track.lost = found[column], self._now, True, False
        self._tracks = [t for t in self._tracks if t.detected or self._now - t.since < self._patience]
        known = {column for _, column in pairs}
        for column, face in enumerate(found):
            if column not in known:
                self._begun += 1
                self._tracks.append(_Track(self._begun, face, Smoother(self._smoothing), self._now))

    def _predict(self, frame: np.ndarray, color: Color, tracks: list[_Track]) -> None:
        """Predicts the faces whose turn it is, all in one call."""
        due = [t for t in tracks if t.average is None or self._frames % self._predict_every == 0]
        if not due:
            return
        crops = [self.detector.align(frame, track.face, color=color) for track in due]
        for track, prediction in zip(due, self.model.predict(crops, aligned=True), strict=True):
            track.raw = prediction.probabilities
            track.average = track.smoother(track.raw, self._now - track.predicted_at)
            track.predicted_at = self._now

    def _given(self, track: _Track) -> TrackedFace:
        thresholds = self.model.thresholds
        if self._threshold is not None:
            thresholds = np.full_like(thresholds, self._threshold)
        prediction = Prediction(
            names=self.model.names,
            probabilities=track.average,  # type: ignore[arg-type]
            thresholds=thresholds,
            trained=self.model.trained,
            face=track.face,
        )
        return TrackedFace(track.number, track.detected, track.face, prediction, track.raw)


def _grey(frame: np.ndarray, color: Color) -> np.ndarray:
    cv2 = opencv()
    if frame.shape[2] == 1:
        return frame[:, :, 0]
    codes = {(3, "rgb"): "RGB", (3, "bgr"): "BGR", (4, "rgb"): "RGBA", (4, "bgr"): "BGRA"}
    return cv2.cvtColor(frame, getattr(cv2, f"COLOR_{codes[frame.shape[2], color]}2GRAY"))

"""Prints the attributes of the face in each frame of a video file or webcam, with OpenCV.

    pip install "./bindings/python[opencv]"
    python examples/opencv/video.py clip.mp4            # or 0 for the first webcam; --show opens a window

The frames are faces framed like CelebA's: nothing looks for a face in them; --box cuts one out. OpenCV's frames are
BGR; they, and boxes within them, go to the network without a copy. Attributes are smoothed over frames, as a single
frame flickers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import blan
import cv2
import numpy as np


def frames(source: str) -> Iterator[np.ndarray]:
    """The frames of a file, or of a webcam for a number: HxWx3 of uint8, BGR."""
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    try:
        if not capture.isOpened():
            raise SystemExit(f"cannot open {source}")
        while True:
            more, frame = capture.read()
            if not more:
                return
            yield frame
    finally:
        capture.release()


class Smoothed:
    """A running average of the probabilities."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._average: np.ndarray | None = None

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Takes the probabilities of the next frame and gives their average so far."""
        if self._average is None:
            self._average = probabilities.copy()
        else:
            self._average += (1 - self._keep) * (probabilities - self._average)
        return self._average


def show(frame: np.ndarray, lines: list[str]) -> bool:
    """Shows a frame with text over it; False once the user presses q."""
    for row, line in enumerate(lines):
        place = (8, 22 + 20 * row)
        cv2.putText(frame, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(frame, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    cv2.imshow("blan", frame)
    return cv2.waitKey(1) & 0xFF != ord("q")


def main() -> int:
    """Runs the example; returns the exit status."""
    parser = argparse.ArgumentParser(description="Prints the attributes of the face in each frame of a video.")
    parser.add_argument("source", help="a video file, or the number of a webcam")
    parser.add_argument("--model", help="safetensors file; without it, the model that comes with blan")
    parser.add_argument("--box", help="X,Y,WIDTH,HEIGHT of the face in pixels; without it, the whole frame")
    parser.add_argument("--keep", type=float, default=0.8, help="part of the average that a new frame leaves (0 to 1)")
    parser.add_argument("--top", type=int, default=5, help="attributes printed a frame")
    parser.add_argument("--show", action="store_true", help="also open a window; q closes it")
    arguments = parser.parse_args()
    x, y, width, height = map(int, arguments.box.split(",")) if arguments.box else (0, 0, None, None)

    with blan.load(arguments.model) as model:
        if not model.trained:
            print(f"{model.path} is not trained: its probabilities mean nothing", file=sys.stderr)
        smoothed = Smoothed(arguments.keep)
        for number, frame in enumerate(frames(arguments.source)):
            face = frame[y : y + height, x : x + width] if arguments.box else frame
            probabilities = smoothed(model.predict(face, aligned=True, color="bgr").probabilities)
            best = np.argsort(-probabilities)[: arguments.top]
            lines = [f"{model.names[i]} {probabilities[i]:.2f}" for i in best]
            print(f"{number}: {', '.join(lines)}")
            if arguments.show and not show(frame, lines):
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())

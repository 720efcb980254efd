"""Prints who smiles, and since when, in a video file or before a webcam; writes the video with attributes drawn in.

    pip install "./bindings/python[opencv]"
    python examples/opencv/video.py clip.mp4 --out annotated.mp4       # or 0 for the first webcam

`blan video` does this and more from the command line. Frames that come from elsewhere go to `FaceTracker.update`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys

import blan


def main() -> int:
    """Runs the example; returns the exit status."""
    parser = argparse.ArgumentParser(description="Prints when faces of a video begin and cease to show an attribute.")
    parser.add_argument("source", help="a video file, or the number of a webcam")
    parser.add_argument("--attribute", default="Smiling", help="the attribute to look for")
    parser.add_argument("--out", help="also write a video with boxes and attributes, such as annotated.mp4")
    parser.add_argument("--model", help="safetensors file; without it, the model that comes with blan")
    arguments = parser.parse_args()
    source = int(arguments.source) if arguments.source.isdigit() else arguments.source

    showing: dict[int, bool] = {}
    try:
        with contextlib.ExitStack() as stack:
            tracker = blan.FaceTracker(blan.load(arguments.model), detect_every=5, smoothing=0.5)
            video = stack.enter_context(blan.Video(source, tracker))
            out = stack.enter_context(video.writer(arguments.out)) if arguments.out else None
            for frame in video:
                for face in frame.faces:
                    present = arguments.attribute in face.attributes
                    if present != showing.get(face.track, False):
                        verb = "begins" if present else "ceases"
                        print(f"{frame.time:7.2f} s: face {face.track} {verb} to show {arguments.attribute}")
                    showing[face.track] = present
                if out is not None:
                    out.write(frame.draw(), frame.time if video.live else None)
    except blan.BlanError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Finds the faces in photos, prints their attributes, most likely first, and writes an HTML page about them.

    pip install ./bindings/python
    python examples/python/predict.py examples/data/astronaut_full.jpg [--html faces.html]

A photo that cannot be read is reported on stderr, the others are printed, and the exit status is 1.
"""

import argparse
import sys

import blan


def main() -> int:
    """Runs the example; returns the exit status."""
    parser = argparse.ArgumentParser(description="Prints the attributes of the faces in photos.")
    parser.add_argument("photos", nargs="+", help="JPEG or PNG files")
    parser.add_argument("--model", help="safetensors file; without it, the model that comes with blan")
    parser.add_argument("--html", help="also write a page with bars and attention maps")
    arguments = parser.parse_args()

    with blan.load(arguments.model) as model:
        if not model.trained:
            print(f"{model.path} is not trained: its probabilities mean nothing", file=sys.stderr)
        found = model.predict(arguments.photos, attention=True, on_error="keep")
        for photo, faces in zip(arguments.photos, found, strict=True):
            if not faces:
                print(f"{photo}: no face found", file=sys.stderr)
        faces = [face for faces in found for face in faces]
        for face in faces:
            if face.error is not None:
                print(face.error, file=sys.stderr)
                continue
            left, top, _, _ = face.face.box
            print(f"{face.source}, face at {left:.0f}, {top:.0f}")
            for name, probability in face.attributes.items():
                print(f"  {name:<24} {100 * probability:5.1f} %")
        if arguments.html:
            blan.write_report(arguments.html, faces, model)
    return 1 if any(face.error for face in faces) else 0


if __name__ == "__main__":
    sys.exit(main())

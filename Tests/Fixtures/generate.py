"""Writes the fixtures of the numerical tests: what PyTorch, Pillow and the specification say of seeded inputs.

Usage: python Tests/Fixtures/generate.py [inference] [training] [explanation] [images] [faces]   (default: all of them)

Needs the packages of scripts/requirements.txt and scripts/requirements-torch.txt; faces also those that facenet.py
names. Everything is seeded and computed on
one thread, networks in float64 and rounded once, so a second run on the same versions writes the same files.
"""

import sys
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = ("inference", "training", "explanation", "images", "faces")


def main(parts):
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}")
    sys.path.insert(0, str(FOLDER))
    import torch

    torch.set_num_threads(1)
    for part in parts or PARTS:
        import_module(f"generators.{part}").write(FOLDER / part)


if __name__ == "__main__":
    main(sys.argv[1:])

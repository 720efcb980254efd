"""Times the image pipeline on one core: an encoded photo to normalised pixels, by libblan and by Pillow with numpy.

    benchmarks/run.sh images [--sizes 178x218 640x480 1920x1080] [--target 256] [--repeats 30]

Both read the same JPEG from memory, resize it to the network's input as Pillow's BILINEAR does (libblan to within one
step of 255) and normalise it. They take turns; the table shows medians and the ratio.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from pathlib import Path

import blan
import numpy as np
from PIL import Image

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "data" / "astronaut_full.jpg"


def main() -> None:
    """Prints a line for each size."""
    arguments = parse()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        blan.init(path, width=4, input_size=arguments.target)
        model = blan.load(path, threads=1)
    mean = np.array(model.config["mean"], np.float32)[:, None, None]
    std = np.array(model.config["std"], np.float32)[:, None, None]

    def pillow(data: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image = image.resize((arguments.target, arguments.target), Image.Resampling.BILINEAR)
        return (np.asarray(image, np.float32).transpose(2, 0, 1) / 255 - mean) / std

    print(f"{'JPEG':>12} {'libblan ms':>11} {'Pillow ms':>10} {'ratio':>6}  largest difference, of 255")
    for size in arguments.sizes:
        data = encoded(size)
        times: dict[str, list[float]] = {"libblan": [], "pillow": []}
        for _ in range(arguments.repeats):
            for name, function in (("libblan", model.preprocess), ("pillow", pillow)):
                start = time.perf_counter()
                function(data)
                times[name].append(time.perf_counter() - start)
        ours, theirs = (float(np.median(times[name])) * 1e3 for name in ("libblan", "pillow"))
        difference = np.abs(model.preprocess(data) - pillow(data)) * std * 255
        print(f"{size:>12} {ours:11.2f} {theirs:10.2f} {theirs / ours:6.2f}  {difference.max():.2f}")


def encoded(size: str) -> bytes:
    """The bundled photo as a JPEG of `size`, such as 640x480."""
    width, height = map(int, size.split("x"))
    buffer = io.BytesIO()
    Image.open(PHOTO).convert("RGB").resize((width, height)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Times decoding, resizing and normalising beside Pillow and numpy.")
    parser.add_argument("--sizes", nargs="+", default=["178x218", "640x480", "1920x1080"], help="of the JPEG")
    parser.add_argument("--target", type=int, default=256, help="side of the network's input")
    parser.add_argument("--repeats", type=int, default=30)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Fixtures of the face detector: photos made from the bundled one, and what facenet-pytorch's MTCNN finds in them.

faces/<name>.jpg are the photos; "astronaut" is examples/data/astronaut_full.jpg itself. faces/expected.safetensors has
for each case <case>.boxes [n, 4], <case>.scores [n] and <case>.landmarks [n, 5, 2], the largest face first, and in its
metadata the photo and the options of the case.
"""

import json

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from . import streams

BUNDLED = "examples/data/astronaut_full.jpg"

PASTES = {
    # name: (width, height), [(side, degrees, x, y)]
    "several": ((640, 400), [(300, 12, 10, 20), (150, -18, 330, 30), (90, 5, 500, 60), (220, -6, 400, 170)]),
    "small": ((200, 160), [(120, 8, 40, 20)]),
    "cut-off": ((320, 240), [(300, 0, -110, 30), (260, 10, 190, -40)]),
    "none": ((320, 240), []),
}

CASES = {
    # name: photo, options
    "astronaut": ("astronaut", {}),
    "several": ("several", {}),
    "several-large": ("several", {"min_face": 45.5}),
    "several-strict": ("several", {"thresholds": [0.8, 0.9, 0.999]}),
    "several-coarse": ("several", {"factor": 0.5}),
    "small": ("small", {}),
    "small-enlarged": ("small", {"min_face": 12.0}),
    "cut-off": ("cut-off", {}),
    "none": ("none", {}),
}

DEFAULTS = {"min_face": 20.0, "thresholds": [0.6, 0.7, 0.7], "factor": 0.709}


def ground(width, height, seed):
    """Smooth colours with some grain."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for channel in range(3):
        wave = np.sin(x / (37 + 9 * channel) + seed) + np.cos(y / (29 + 7 * channel))
        grain = streams.uniform(seed, f"ground {channel}", width * height).reshape(height, width)
        planes.append(120 + 35 * wave + 12 * grain)
    return Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8))


def composite(source, size, pastes, seed):
    """The ground with copies of the photo pasted on it, turned."""
    result = ground(*size, seed)
    for side, degrees, x, y in pastes:
        copy = source.resize((side, side), Image.Resampling.LANCZOS).convert("RGBA")
        turned = copy.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        result.paste(turned, (x, y), turned)
    return result


def write(folder):
    """Writes faces/."""
    import facenet

    folder.mkdir(exist_ok=True)
    bundled = folder.parents[2] / BUNDLED
    source = Image.open(bundled).convert("RGB")
    for seed, (name, (size, pastes)) in enumerate(PASTES.items()):
        composite(source, size, pastes, seed).save(folder / f"{name}.jpg", quality=88, subsampling=0)
    tensors, metadata = {}, {"facenet-pytorch": facenet.version()}
    for case, (photo, options) in CASES.items():
        options = DEFAULTS | options
        path = bundled if photo == "astronaut" else folder / f"{photo}.jpg"
        found = facenet.Detector(**options)(np.asarray(Image.open(path).convert("RGB")))
        tensors |= {f"{case}.boxes": found.boxes, f"{case}.scores": found.scores, f"{case}.landmarks": found.landmarks}
        metadata[case] = json.dumps({"photo": photo} | options)
        print(f"{case}: {len(found.boxes)} faces", *np.round(found.scores, 4))
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    save_file(tensors, folder / "expected.safetensors", metadata)

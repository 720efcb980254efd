"""From a frame to the attributes of its largest face: libblan, and facenet-pytorch's MTCNN before ONNX Runtime."""

import json

import numpy as np

from . import Call, Task


def load_libblan(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    import blan

    model = blan.load(task.model, threads=task.threads)
    system = blan.system()
    return lambda frame: model.predict(frame)[0].probabilities, f"{system.version} ({system.instruction_set})"


def load_facenet(task: Task) -> tuple[Call, str]:
    """The call and the versions."""
    import facenet
    import torch
    from safetensors import safe_open

    from .onnx_runtime import load

    torch.set_num_threads(task.threads)
    network, version = load(task)
    detector = facenet.Detector()
    with safe_open(task.model, "np") as file:
        config = json.loads(file.metadata()["blan.config"])
    mean, std = (np.array(config[name], np.float32).reshape(3, 1, 1) for name in ("mean", "std"))
    size = task.shape[-1]

    def call(frame: np.ndarray) -> np.ndarray:
        face = aligned(frame, detector(frame).landmarks[0]).resize((size, size), 2)
        pixels = np.asarray(face, np.float32).transpose(2, 0, 1) / 255
        return network(((pixels - mean) / std)[np.newaxis])[0]

    return call, f"{facenet.version()} + ORT {version}"


def aligned(frame: np.ndarray, landmarks: np.ndarray):
    """The face in CelebA's aligned frame, by the least-squares similarity."""
    from composites import DETECTED
    from PIL import Image

    x, y = DETECTED.T
    zero, one = np.zeros(5), np.ones(5)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    (a, b, c, d), *_ = np.linalg.lstsq(rows, landmarks.T.reshape(-1).astype(np.float64), rcond=None)
    # Pillow samples at x + 0.5 and takes 0.5 off again.
    shift = (c + 0.5 - 0.5 * (a - b), d + 0.5 - 0.5 * (a + b))
    return Image.fromarray(frame).transform(
        (178, 218), Image.Transform.AFFINE, (a, -b, shift[0], b, a, shift[1]), Image.Resampling.BILINEAR
    )

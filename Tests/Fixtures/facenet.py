"""facenet-pytorch's MTCNN, the reference of the face detector.

Needs facenet-pytorch==2.6.0 (installed with --no-deps: its own bounds on versions are old), torch, torchvision,
requests and tqdm. torchvision's builds on PyPI want the CUDA runtime for their compiled operators; where it is missing,
`nms`, the only one that MTCNN uses, is computed here in numpy by the same rule.
"""

import importlib.util
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

nms_seconds = 0.0
"""Time spent in the stand-in, for benchmarks: torchvision's own is faster."""


@dataclass
class Found:
    """What it finds in one image, the largest face first: n x 4 boxes, n scores, n x 5 x 2 landmarks."""

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray


def _nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """torchvision::nms: indices of the boxes that stay, best first."""
    global nms_seconds
    started = time.perf_counter()
    x0, y0, x1, y1 = boxes.detach().numpy().T
    area = (x1 - x0) * (y1 - y0)
    rest = scores.sort(stable=True, descending=True)[1].numpy()
    kept = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        width = np.maximum(np.float32(0), np.minimum(x1[best], x1[rest]) - np.maximum(x0[best], x0[rest]))
        height = np.maximum(np.float32(0), np.minimum(y1[best], y1[rest]) - np.maximum(y0[best], y0[rest]))
        inside = width * height
        overlap = inside / (area[best] + area[rest] - inside)
        rest = rest[~(overlap.astype(np.float64) > threshold)]
    nms_seconds += time.perf_counter() - started
    return torch.from_numpy(np.array(kept, dtype=np.int64))


def _torchvision_works() -> bool:
    """Whether torchvision's compiled operators load, found out in a process of its own."""
    command = f"{sys.executable} -c 'import torchvision, torch; torch.ops.torchvision.nms' >/dev/null 2>&1"
    return os.system(command) == 0


def _stand_in() -> torch.library.Library:
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    operators.impl("nms", _nms, "CPU")
    import torchvision.extension
    import torchvision.ops.boxes

    torchvision.extension._has_ops = lambda: True
    torchvision.ops.boxes._assert_has_ops = lambda: None
    return operators


_operators = None if _torchvision_works() else _stand_in()


class Detector:
    """MTCNN that finds every face."""

    def __init__(self, min_face: float = 20, thresholds: tuple = (0.6, 0.7, 0.7), factor: float = 0.709) -> None:
        from facenet_pytorch import MTCNN

        self.mtcnn = MTCNN(min_face_size=min_face, thresholds=list(thresholds), factor=factor, keep_all=True)

    def __call__(self, rgb: np.ndarray) -> Found:
        """Looks for faces in HxWx3 bytes."""
        boxes, scores, landmarks = self.mtcnn.detect(rgb, landmarks=True)
        if boxes is None:
            return Found(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
        return Found(*(np.asarray(part, dtype=np.float32) for part in (boxes, scores, landmarks)))


def version() -> str:
    """The version of facenet-pytorch."""
    folder = Path(importlib.util.find_spec("facenet_pytorch").origin).parents[1]
    return next(folder.glob("facenet_pytorch-*.dist-info")).name.split("-")[1].removesuffix(".dist")

"""What libblan is timed beside: one module a peer, each with a function that loads the network and returns its call.

A module is imported in its peer's own process alone (see `worker.py`), so that no two thread pools meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Call = Callable[[np.ndarray], np.ndarray]
"""Pixels, batch x 3 x S x S floats, to probabilities, batch x N."""


@dataclass(frozen=True)
class Task:
    """What a peer is to run.

    Attributes:
        model: the network in libblan's format; `blan_torch.load_model` reads it too.
        folder: for what peers make of it; everything in it belongs to this model and batch.
        shape: batch, 3, S, S.
        threads: to work on.
    """

    model: Path
    folder: Path
    shape: tuple[int, int, int, int]
    threads: int


PEERS = {
    "libblan": ("libblan", "load"),
    "libblan-bf16": ("libblan", "load_bf16"),
    "libblan-int8": ("libblan", "load_int8"),
    "torch": ("pytorch", "load_eager"),
    "torch-channels-last": ("pytorch", "load_channels_last"),
    "torch-compile": ("pytorch", "load_compiled"),
    "onnxruntime": ("onnx_runtime", "load"),
    "openvino": ("open_vino", "load"),
    "ncnn": ("tencent_ncnn", "load"),
    "mnn": ("alibaba_mnn", "load"),
}
"""Peer to its module and function, in the order of the report."""

FRAME_PEERS = {
    "libblan-faces": ("frames", "load_libblan"),
    "facenet-onnxruntime": ("frames", "load_facenet"),
}
"""Those of `detection.py`: their calls take a frame, HxWx3 bytes, and give the N probabilities of its largest face."""

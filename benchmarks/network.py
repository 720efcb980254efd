"""The network that every peer runs: random weights, with batch-norm statistics measured so that no layer saturates."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

SEED = 20


def pixels_for(shape: tuple[int, int, int, int]) -> np.ndarray:
    """Seeded input: a normalised image's mean and spread."""
    return np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)


def prepare(folder: Path, width: int, size: int) -> Path:
    """Writes the model of a width and input size, once."""
    import torch
    from blan_torch import BLAN, Configuration, save_model

    path = folder / "model.safetensors"
    if path.exists():
        return path
    torch.manual_seed(SEED)
    network = BLAN(Configuration(input_size=size, width=width), dropout=0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean over what follows
    network.train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.randn(4, 3, size, size))
    unfinished = folder / "unfinished.safetensors"
    save_model(unfinished, network, trained=False)
    os.replace(unfinished, path)
    return path


def expected(model: Path, pixels: np.ndarray) -> np.ndarray:
    """Probabilities by PyTorch in 64-bit floats: what the outputs of all are checked against."""
    import torch
    from blan_torch import load_model

    with torch.inference_mode():
        return load_model(model).double()(torch.from_numpy(pixels).double()).numpy()

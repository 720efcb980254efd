"""Small models whose probabilities are neither 0 nor 1, as those of untrained ones are."""

from __future__ import annotations

import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file


def settle(path, seed):
    """Gives a new model numbers where it has zeros and ones, sized so that probabilities lie between 0 and 1."""
    random = np.random.default_rng(seed)
    with safe_open(path, "np") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, values in tensors.items():
        low, high = None, None
        if ".bn" in name or "downsample.1" in name:
            scale = 0.2 if name.endswith("bn2.weight") and not name.startswith("classifiers") else 1
            low, high = {
                "weight": (0.5 * scale, 1.5 * scale),
                "bias": (-0.2, 0.2),
                "running_mean": (-0.2, 0.2),
                "running_var": (1.5, 4.5),
            }[name.rsplit(".", 1)[1]]
        elif name == "fusion.weight":
            low, high = 0.5, 1
        elif name.endswith(".bias"):
            low, high = -0.1, 0.1
        if low is not None:
            tensors[name] = random.uniform(low, high, values.shape).astype(np.float32)
    config = json.loads(metadata["blan.config"])
    config["temperatures"] = random.uniform(0.8, 2, len(config["attributes"])).tolist()
    config["thresholds"] = random.uniform(0.3, 0.7, len(config["attributes"])).tolist()
    save_file(tensors, path, metadata | {"blan.config": json.dumps(config), "blan.licence": "for tests"})

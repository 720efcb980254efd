#!/usr/bin/env python3
"""Converts MTCNN's three networks from facenet-pytorch's wheel to models/mtcnn.safetensors.

    pip download --no-deps facenet-pytorch==2.6.0
    scripts/convert_mtcnn.py facenet_pytorch-2.6.0-py3-none-any.whl models/mtcnn.safetensors

The wheel carries the weights under the MIT licence. Tensors keep their names and values (f32) behind the name of their
network: pnet.conv1.weight, rnet.dense4.bias, onet.prelu5.weight. Needs numpy, safetensors and torch.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

WHEEL_SHA256 = "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca"
"""Of facenet_pytorch-2.6.0-py3-none-any.whl on PyPI."""

NETWORKS = ("pnet", "rnet", "onet")

METADATA = {
    "format": "blan.mtcnn",
    "blan.source": "facenet-pytorch 2.6.0 (https://pypi.org/project/facenet-pytorch/2.6.0/), MTCNN weights",
    "blan.licence": "MIT, Copyright (c) 2019 Timothy Esler",
}


def tensors_of(wheel: zipfile.ZipFile, network: str) -> dict[str, np.ndarray]:
    """One network's tensors by their names in the file."""
    with wheel.open(f"facenet_pytorch/data/{network}.pt") as file:
        state = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
    return {f"{network}.{name}": tensor.to(torch.float32).contiguous().numpy() for name, tensor in state.items()}


def main() -> None:
    """Converts the wheel named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    found = hashlib.sha256(arguments.wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{arguments.wheel} has SHA-256 {found}; facenet-pytorch 2.6.0's wheel has {WHEEL_SHA256}")
    tensors: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for network in NETWORKS:
            tensors |= tensors_of(wheel, network)
    save_file(tensors, arguments.out, metadata=METADATA)
    count = sum(tensor.size for tensor in tensors.values())
    print(f"{arguments.out}: {len(tensors)} tensors, {count:,} numbers, {arguments.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

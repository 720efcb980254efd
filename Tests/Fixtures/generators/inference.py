"""Fixtures of prediction: six variants by three orders, at small widths and sizes.

inference/v<variant>-<order>.safetensors holds what the PyTorch reference computes in float64 for five images; the
metadata say for which network and seed. Weights and pixels come from streams and are not stored.
"""

import numpy as np
import torch
from blan_torch import BLAN, ORDERS, VARIANTS, Configuration

from . import streams
from .files import save_sorted

BATCH = 5
# (width, input size, attributes) of the cases in turn: every width meets several variants and orders
SETTINGS = ((8, 64, 40), (16, 64, 7), (4, 128, 40), (12, 96, 5), (16, 128, 3), (4, 64, 1), (8, 96, 9))


def case(index, variant, order):
    """The network of a case, in evaluation mode, and its tensors as float64 arrays."""
    width, size, count = SETTINGS[index % len(SETTINGS)]
    names = tuple(f"attribute {i}" for i in range(count))
    network = BLAN(Configuration(size, width, names, order, variant))
    seed = 100 + index
    streams.fill(network, seed)
    network = network.double().eval()
    with torch.no_grad():
        out = network.outputs(torch.from_numpy(streams.pixels(seed, BATCH, size)).double())
    tensors = {
        "probabilities": out.probabilities,
        "logits": out.logits,
        "scores": out.scores,
        "embeddings": out.embeddings,
    }
    tensors |= {f"gates.{i}": gate[:, 0] for i, gate in enumerate(out.gates)}
    if size == 64:
        tensors |= {f"encoded.{i}": f[:2] for i, f in enumerate(out.encoded)}
    metadata = {"seed": seed, "batch": BATCH, "width": width, "input_size": size, "attributes": count}
    return tensors, metadata


def healthy(tensors, name):
    """A fixture whose outputs are saturated, or all alike, would prove nothing."""
    undecided = ((tensors["probabilities"] - 0.5).abs() < 0.49).double().mean()
    scores = tensors["scores"]
    assert undecided > 0.3 and scores.std(0).mean() > 0.04 and scores.abs().max() < 40, (name, undecided)


def write(folder):
    """Writes every case."""
    folder.mkdir(exist_ok=True)
    for index, (variant, order) in enumerate((v, o) for v in VARIANTS for o in ORDERS):
        tensors, metadata = case(index, variant, order)
        name = f"v{variant}-{order}"
        healthy(tensors, name)
        arrays = {key: value.numpy().astype(np.float32) for key, value in tensors.items()}
        save_sorted(folder / f"{name}.safetensors", arrays, metadata)
        print(f"{name}: {metadata}, scores up to {np.abs(arrays['scores']).max():.2f}")

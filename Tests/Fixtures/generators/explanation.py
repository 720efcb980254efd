"""Fixtures of explanations: Grad-CAM at the four levels by PyTorch's automatic differentiation.

explanation/<case>.safetensors holds what the PyTorch reference computes in float64, in evaluation mode, for one image:

- values [T]: the score of each target, "present" less "absent";
- maps.<level> [T, H, W], level 0 to 3: the sum over channels k of mean(dy/dA_k) A_k, A the maps that the level's
  classifier reads (both of them in variant 4), dy/dA the whole derivative.

The targets are, for each attribute in turn, the decision, s_1..s_4 and their sum. Weights and pixels come from streams
of the case's seed (see streams.py), residual branches scaled as in training.py. `conditioning` measures what rounding
changes; `write` demands that it is no more than a tenth of the tests' tolerance of 1e-3.
"""

from dataclasses import dataclass

import numpy as np
import torch
from blan_torch import BLAN, Configuration

from . import streams
from .files import save_sorted
from .training import BRANCH_SCALE, ROUNDINGS, disturb

SIZE = 64


@dataclass(frozen=True)
class Case:
    """One fixture."""

    name: str
    variant: int
    order: str = "channel-spatial"
    width: int = 4
    attributes: int = 2
    seed: int = 0


CASES = (
    Case("v1", 1, seed=501),
    Case("v2", 2, width=8, seed=502),
    Case("v3", 3, seed=503),
    Case("v4", 4, seed=504),
    Case("v5-parallel", 5, "parallel", seed=505),
    Case("v6-channel-spatial", 6, width=8, seed=506),
    Case("v6-spatial-channel", 6, "spatial-channel", width=16, seed=507),
    Case("v6-parallel", 6, "parallel", width=8, attributes=3, seed=508),
)


def read_by(out, level):
    """The maps that a level's classifier reads."""
    if level == 3 or not out.decoded:
        return [out.encoded[level]]
    if out.gates:
        return [out.features[level]]
    both = [out.encoded[level], out.decoded[level]]
    return both if out.features[level].shape[1] == 2 * both[0].shape[1] else both[1:]


def maps_of(case, dtype=torch.float64, noise=0.0):
    """The targets' scores and maps, the network and the pixels disturbed by `noise`."""
    names = tuple(f"attribute {i}" for i in range(case.attributes))
    network = BLAN(Configuration(SIZE, case.width, names, case.order, case.variant))
    streams.fill(network, case.seed, BRANCH_SCALE)
    network = network.to(dtype).eval()
    pixels = torch.from_numpy(streams.pixels(case.seed, 1, SIZE)).to(dtype)
    disturb(network, pixels, noise)
    out = network.outputs(pixels)
    pairs = torch.cat([out.logits[:, None], out.scores], 1)[0]  # the decision, s_1..s_4, their sum
    targets = (pairs[..., 1] - pairs[..., 0]).T.reshape(-1)
    read = [read_by(out, level) for level in range(4)]
    flat = [a for level in read for a in level]
    maps = [[] for _ in range(4)]
    for target in targets:
        gradients = torch.autograd.grad(target, flat, retain_graph=True, allow_unused=True)
        of = {id(a): torch.zeros_like(a) if g is None else g for a, g in zip(flat, gradients, strict=True)}
        for level, sources in enumerate(read):
            cams = [(of[id(a)].mean((2, 3), keepdim=True) * a).sum(1) for a in sources]
            maps[level].append(sum(cams)[0].detach())
    return targets.detach(), [torch.stack(level) for level in maps]


def worst(maps, reference):
    """The largest difference of a map, relative to its largest magnitude; maps of zeros are no measure."""
    worst = 0.0
    for level, expected in zip(maps, reference, strict=True):
        for a, b in zip(level.double(), expected, strict=True):
            if (scale := b.abs().max()) > 0:
                worst = max(worst, float((a - b).abs().max() / scale))
    return worst


def write(folder):
    """Writes every case."""
    folder.mkdir(exist_ok=True)
    for case in CASES:
        values, maps = maps_of(case)
        torch.manual_seed(0)
        change = max(worst(maps_of(case, dtype, noise)[1], maps) for dtype, noise in ROUNDINGS)
        assert change < 1e-4, f"{case.name}: rounding changes {change:.1e}; choose another seed"
        everything = torch.cat([level.reshape(-1) for level in maps])
        assert (everything > 0).any() and (everything < 0).any(), f"{case.name}: maps of one sign"
        assert all(level[0].any() for level in maps), f"{case.name}: a level that is dead; choose another seed"
        arrays = {"values": values.numpy()} | {f"maps.{level}": m.numpy() for level, m in enumerate(maps)}
        arrays = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
        metadata = {"input_size": SIZE, "branch_scale": BRANCH_SCALE} | {
            k: v for k, v in vars(case).items() if k != "name"
        }
        save_sorted(folder / f"{case.name}.safetensors", arrays, metadata)
        print(f"{case.name}: scores {values.abs().min():.2f} to {values.abs().max():.2f}; rounding {change:.1e}")

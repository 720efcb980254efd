"""The library's random streams and initial weights once more, so that fixtures need not hold weights and pixels.

SplitMix64 keyed by a seed and a name, as Sources/BLANTensors/RandomStream.swift has it; weights as
Sources/BLANNetwork/Initialisation.swift draws them. Biases, batch norms and the fusion matrix, which a new network
has at zeros and ones, are drawn as well, so that a test sees them (Tests/*/FixtureWeights.swift does the same).
"""

import numpy as np
import torch

GAMMA = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix(z):
    """SplitMix64's output from its states, an array of uint64 (which wraps silently)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def draws(seed, key, count):
    """The first `count` numbers of a stream: the state before the i-th is the first state plus i·GAMMA."""
    name = 0xCBF29CE484222325
    for byte in key.encode():
        name = (name ^ byte) * 0x100000001B3 & MASK
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GAMMA)
    first = mix(np.array([(seed + GAMMA) & MASK], dtype=np.uint64)) ^ np.uint64(name)
    return mix(first + steps)


def uniform(seed, key, count):
    """In [0, 1), float64."""
    return (draws(seed, key, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed, key, count):
    """Box and Muller, float64."""
    pairs = uniform(seed, key, 2 * count).reshape(count, 2)
    return np.sqrt(-2 * np.log(1 - pairs[:, 0])) * np.cos(2 * np.pi * pairs[:, 1])


# offset + scale · u of everything that a new network does not draw
RANGES = {
    "bias": (-0.1, 0.2),
    "batch norm weight": (0.5, 1.0),
    "batch norm bias": (-0.2, 0.4),
    "running_mean": (-0.2, 0.4),
    "running_var": (1.5, 3.0),
    "fusion": (0.1, 0.2),
}


def kind(name, shape, names):
    """The row of `RANGES` that a tensor belongs to; None for a weight."""
    prefix, last = name.rsplit(".", 1)
    if last in ("running_mean", "running_var"):
        return last
    if name == "fusion.weight":
        return "fusion"
    if prefix + ".running_mean" in names:
        return f"batch norm {last}"
    return None if len(shape) > 1 else "bias"


def tensor(seed, name, shape, names, branch_scale=1.0):
    """A tensor of the fixtures' networks, float32. `branch_scale` multiplies what residual branches add."""
    count = int(np.prod(shape))
    row = kind(name, shape, names)
    if row is None:
        values = np.sqrt(2 / np.prod(shape[1:])) * normal(seed, name, count)
    else:
        offset, scale = RANGES[row]
        values = offset + scale * uniform(seed, "fixture/" + name, count)
        if name.endswith(".bn2.weight") and not name.startswith("classifiers."):
            values = branch_scale * values
    return values.astype(np.float32).reshape(shape)


def fill(network, seed, branch_scale=1.0):
    """Gives a network the weights of a seed."""
    state = {n: v for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(torch.from_numpy(tensor(seed, name, tuple(value.shape), state.keys(), branch_scale)))


def pixels(seed, batch, size):
    """Normalised pixels, batch x 3 x size x size in [-2, 2), float32."""
    return (4 * uniform(seed, "pixels", batch * 3 * size * size) - 2).astype(np.float32).reshape(batch, 3, size, size)


def labels(seed, batch, attributes, missing):
    """1 or -1, and 0 for about a quarter if some are missing."""
    drawn = uniform(seed, "labels", batch * attributes).reshape(batch, attributes)
    values = np.where(drawn < 0.5, -1, 1)
    return np.where(np.abs(drawn - 0.5) < 0.125, 0, values) if missing else values

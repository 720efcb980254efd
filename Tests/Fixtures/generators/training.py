"""Fixtures of training: loss terms, gradients of every parameter, running statistics, ten steps of the optimisers.

training/<case>.safetensors holds what the PyTorch reference computes in float64, batch norms training, dropout 0:

- loss.cls [4], loss.lmim [4], loss.rec, loss.sf, loss.total [1]: of the first batch;
- gradient.<parameter>: in full where the case stores gradients in full or the tensor has at most `SAMPLES` elements;
  otherwise sample.<parameter>, its elements i·count/SAMPLES (rounded down, i from 0), and norm.<parameter> [1], the
  Euclidean norm of all of it;
- running.<buffer>: the batch norms' statistics after that forward pass;
- labels [batch, N] (1, -1, 0 = missing);
- steps.total [10], steps.cls [10, 4], steps.lmim [10, 4], steps.rec, steps.sf [10] and steps.learning_rate [10]: the
  losses before each of ten updates on that same batch and Adam's rate for it (SGD's, for W, is a tenth of that), where
  the case has them.

Weights, pixels and labels come from streams of the case's seed (see streams.py). Thirty layers of random residual
branches in full would be chaotic: rounding alone then changes gradients by a percent (ReLUs and maxima near their
kinks) and the losses of ten steps of Adam by a tenth. With branches of a fifth of that and seeds without a ReLU at its
kink, it changes neither by a tenth of a test's tolerance of 1e-3; `conditioning` measures that, `write` demands it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from blan_torch import BLAN, Configuration, LossWeights, Optimisation, losses

from . import streams
from .files import save_sorted

SAMPLES = 64
STEPS = 10
SIZE = 64
BRANCH_SCALE = 0.2
TERMS = ("cls", "lmim", "rec", "sf", "total")


@dataclass(frozen=True)
class Case:
    """One fixture."""

    name: str
    variant: int
    order: str = "channel-spatial"
    width: int = 4
    batch: int = 4
    attributes: int = 3
    alpha: float = 0.1
    beta: float = 0.1
    missing: bool = False
    full: bool = False
    steps: bool = False
    seed: int = 0


CASES = (
    Case("v1", 1, missing=True, steps=True, seed=201),
    Case("v2", 2, batch=3, seed=302),
    Case("v3", 3, batch=3, seed=203),
    Case("v4", 4, missing=True, steps=True, seed=304),
    Case("v5-channel-spatial", 5, missing=True, seed=205),
    Case("v5-spatial-channel", 5, "spatial-channel", batch=3, seed=206),
    Case("v5-parallel", 5, "parallel", width=8, batch=3, seed=207),
    Case("v6-channel-spatial", 6, missing=True, full=True, steps=True, seed=408),
    Case("v6-spatial-channel", 6, "spatial-channel", batch=3, attributes=40, missing=True, steps=True, seed=1809),
    Case("v6-parallel", 6, "parallel", batch=3, seed=310),
    Case("v6-wide", 6, width=8, batch=3, attributes=40, missing=True, seed=411),
    Case("v6-no-lmim", 6, alpha=0, seed=212),
    Case("v6-no-reconstruction", 6, "parallel", beta=0, missing=True, seed=413),
    Case("v6-classification-only", 6, "spatial-channel", alpha=0, beta=0, steps=True, seed=214),
    Case("v3-no-lmim", 3, alpha=0, seed=215),
    Case("v4-no-reconstruction", 4, beta=0, seed=616),
)


def network_of(case, dtype):
    """The case's network at its start, in training mode."""
    names = tuple(f"attribute {i}" for i in range(case.attributes))
    network = BLAN(Configuration(SIZE, case.width, names, case.order, case.variant), training_heads=True, dropout=0.0)
    streams.fill(network, case.seed, BRANCH_SCALE)
    return network.to(dtype).train()


def batch_of(case, dtype):
    """Pixels and labels."""
    pixels = torch.from_numpy(streams.pixels(case.seed, case.batch, SIZE)).to(dtype)
    return pixels, torch.from_numpy(streams.labels(case.seed, case.batch, case.attributes, case.missing))


def loss_of(case, network, pixels, labels):
    """Every term of Eq. 8."""
    return losses(network, network.outputs(pixels), pixels, labels, LossWeights(case.alpha, case.beta, 1.0))


def first_pass(case, dtype=torch.float64, noise=0.0):
    """Losses, gradients and running statistics of the first batch, of a start disturbed by `noise`."""
    network = network_of(case, dtype)
    pixels, labels = batch_of(case, dtype)
    disturb(network, pixels, noise)
    terms = loss_of(case, network, pixels, labels)
    terms["total"].backward()
    gradients = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in network.named_parameters()}
    running = {n: v for n, v in network.named_buffers() if not n.endswith("num_batches_tracked")}
    return terms, gradients, running


def ten_steps(case, dtype=torch.float64, noise=0.0):
    """Losses before each update and the learning rates; `noise` as in `first_pass`."""
    network = network_of(case, dtype)
    pixels, labels = batch_of(case, dtype)
    disturb(network, pixels, noise)
    optimisation = Optimisation(network, STEPS)
    record = {term: [] for term in (*TERMS, "learning_rate")}
    for _ in range(STEPS):
        terms = loss_of(case, network, pixels, labels)
        for term in TERMS:
            record[term].append(terms[term].detach().numpy().copy())
        record["learning_rate"].append(optimisation.learning_rate)
        optimisation.step(terms["total"])
    return {term: np.array(values) for term, values in record.items()}


def disturb(network, pixels, noise):
    """Changes pixels and weights relatively, as another order of summation might."""
    with torch.no_grad():
        for value in (pixels, *network.parameters()):
            value.mul_(1 + noise * torch.randn_like(value))


def relative(a, b):
    """The largest difference over the largest magnitude of b; 0 where b is zero throughout and a as well."""
    return float((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-30))


ROUNDINGS = ((torch.float32, 0.0), (torch.float64, 3e-7), (torch.float64, 3e-7))


def conditioning(case, gradients, steps):
    """The largest relative change of a gradient, and of a loss within ten steps, that rounding makes."""
    torch.manual_seed(0)
    changes, drifts = [], [0.0]
    for dtype, noise in ROUNDINGS:
        _, others, _ = first_pass(case, dtype, noise)
        changes += [relative(others[name], gradient) for name, gradient in gradients.items()]
        if steps:
            drifts.append(float(np.max(np.abs(ten_steps(case, dtype, noise)["total"] / steps["total"] - 1))))
    return max(changes), max(drifts)


def write(folder):
    """Writes every case."""
    folder.mkdir(exist_ok=True)
    for case in CASES:
        terms, gradients, running = first_pass(case)
        steps = ten_steps(case) if case.steps else {}
        change, drift = conditioning(case, gradients, steps)
        assert change < 1e-4 and drift < 1e-4, (
            f"{case.name}: rounding changes {change:.1e}, {drift:.1e}; choose another seed"
        )
        tensors = {f"loss.{term}": value.detach().reshape(-1).numpy() for term, value in terms.items()}
        for name, gradient in gradients.items():
            values = gradient.reshape(-1).numpy()
            if case.full or len(values) <= SAMPLES:
                tensors[f"gradient.{name}"] = gradient.numpy()
            else:
                tensors[f"sample.{name}"] = values[np.arange(SAMPLES) * len(values) // SAMPLES]
                tensors[f"norm.{name}"] = np.linalg.norm(values).reshape(1)
        tensors |= {f"running.{name}": value.numpy() for name, value in running.items()}
        tensors["labels"] = batch_of(case, torch.float64)[1].numpy()
        tensors |= {f"steps.{term}": values for term, values in steps.items()}
        arrays = {key: np.asarray(value, dtype=np.float32) for key, value in tensors.items()}
        metadata = {"input_size": SIZE, "branch_scale": BRANCH_SCALE} | {
            k: v for k, v in vars(case).items() if k != "name"
        }
        save_sorted(folder / f"{case.name}.safetensors", arrays, metadata)
        print(f"{case.name}: total {terms['total'].item():.3f}; rounding: gradients {change:.1e}, steps {drift:.1e}")

"""What a prediction costs: numbers counted from the network, and times measured."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace

import numpy as np

from . import _batch, _structures
from ._arguments import within
from ._library import check, library


@dataclass(frozen=True)
class Cost:
    """One row of a network's cost table.

    Attributes:
        module: its name, such as ``encoder.layer1``.
        parameters: how many numbers it learned.
        multiply_accumulates: how many it computes for one image.
    """

    module: str
    parameters: int
    multiply_accumulates: int


@dataclass(frozen=True)
class Step:
    """One step of a prediction, a call of a kernel.

    Attributes:
        module: the part of the network it belongs to, such as ``encoder.layer1``.
        kernel: what runs, with its shape and method.
        seconds: median time for all images of the batch.
        operations: floating-point operations, two to a multiply-accumulate, as a direct convolution counts them.
        bytes: of the maps and weights that it touches, each once.
    """

    module: str
    kernel: str
    seconds: float
    operations: float
    bytes: float


def costs(model: ctypes.c_void_p) -> list[Cost]:
    """What `Model.costs` does."""
    row = _structures.Cost()
    result = []
    for index in range(library().blan_model_cost_count(model)):
        check(library().blan_model_cost(model, index, ctypes.byref(row)))
        result.append(Cost(row.module.decode(), row.parameters, row.multiply_accumulates))
    return result


def profile(model: ctypes.c_void_p, input_size: int, batch: int, repeats: int) -> list[Step]:
    """What `Model.profile` does."""
    within("batch", batch, 1, 8)
    pixels = np.random.default_rng(0).random((batch, 3, input_size, input_size), dtype=np.float32)
    runs: list[list[Step]] = []

    def on_step(_user: object, step: ctypes._Pointer[_structures.Step]) -> None:
        row = step.contents
        runs[-1].append(Step(row.module.decode(), row.kernel.decode(), row.seconds, row.operations, row.bytes))

    callback = _structures.StepFunction(on_step)
    for _ in range(repeats + 1):  # the first one makes its memory and is not counted
        runs.append([])
        check(library().blan_model_profile(model, _batch.floats(pixels), batch, callback, None))
    steps = zip(*runs[1:], strict=True)
    return [replace(step[0], seconds=float(np.median([run.seconds for run in step]))) for step in steps]

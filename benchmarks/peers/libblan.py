"""libblan through its Python package."""

import blan
import numpy as np

from . import Call, Task

CALIBRATION_IMAGES = 16


def load(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    return _loaded(task, task.model, "f32")


def load_bf16(task: Task) -> tuple[Call, str]:
    """The same in bfloat16."""
    return _loaded(task, task.model, "bf16")


def load_int8(task: Task) -> tuple[Call, str]:
    """The same in eight-bit integers, calibrated with noise as bright as the benchmark's pixels."""
    random = np.random.default_rng(1)
    noise = random.normal(124, 58, (CALIBRATION_IMAGES, *task.shape[2:], 3))
    model = task.folder / "int8.safetensors"
    blan.quantize(task.model, model, calibration=noise.clip(0, 255).astype(np.uint8), threads=task.threads)
    return _loaded(task, model, "int8")


def _loaded(task: Task, path, precision: str) -> tuple[Call, str]:
    model = blan.load(path, threads=task.threads, precision=precision)
    system = blan.system()
    return model.predict_tensor, f"{system.version} ({system.instruction_set})"

"""MNN, converted from ONNX, in full precision."""

from pathlib import Path

import _tools
import MNN
import numpy as np

from . import Call, Task
from .exported import onnx_file


def _converted(task: Task) -> Path:
    """Converts by the package's C module: its program mnnconvert would install packages and send usage data."""
    path = task.folder / "network.mnn"
    if not path.exists():
        files = ["--modelFile", str(onnx_file(task)), "--MNNModel", str(path)]
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "blan"])
        if not path.exists():
            raise RuntimeError("mnnconvert wrote no file")
    return path


def load(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    settings = {"backend": "CPU", "precision": "high", "numThread": task.threads}
    runtime = MNN.nn.create_runtime_manager((settings,))
    network = MNN.nn.load_module_from_file(
        str(_converted(task)), ["pixels"], ["probabilities"], runtime_manager=runtime
    )

    def call(pixels: np.ndarray) -> np.ndarray:
        placed = MNN.expr.const(pixels, list(pixels.shape), MNN.expr.NCHW)
        return np.array(network.onForward([placed])[0].read())

    return call, MNN.version()

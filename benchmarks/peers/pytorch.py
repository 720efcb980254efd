"""PyTorch: the reference network as it is, in channels_last, and compiled with frozen weights."""

import numpy as np
import torch
from blan_torch import BLAN, load_model

from . import Call, Task


def _network(task: Task) -> BLAN:
    torch.set_num_threads(task.threads)
    torch.set_num_interop_threads(1)
    return load_model(task.model)


def load_eager(task: Task) -> tuple[Call, str]:
    """Convolutions by oneDNN in the default layout."""
    network = _network(task)

    @torch.inference_mode()
    def call(pixels: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(pixels)).numpy()

    return call, torch.__version__


def load_channels_last(task: Task) -> tuple[Call, str]:
    """The layout that oneDNN prefers: no reordering between convolutions."""
    network = _network(task).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def call(pixels: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)).numpy()

    return call, torch.__version__


def load_compiled(task: Task) -> tuple[Call, str]:
    """torch.compile with weights frozen: batch norms folded, convolutions prepacked, the rest fused into C++ loops."""
    from torch._inductor import config

    config.freezing = True
    network = torch.compile(_network(task).to(memory_format=torch.channels_last))

    @torch.no_grad()  # freezing does not work in inference mode
    def call(pixels: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)).numpy()

    return call, torch.__version__

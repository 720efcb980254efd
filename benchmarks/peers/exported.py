"""The reference network as an ONNX file, which three peers read."""

import os
from pathlib import Path

from . import Task


def onnx_file(task: Task) -> Path:
    """Exports the network once for each batch size, constants folded, shapes fixed."""
    path = task.folder / "network.onnx"
    if not path.exists():
        # Not above: a process that finds the file shall not hold PyTorch.
        import torch
        from blan_torch import load_model

        # Whole or not at all: a run that was interrupted leaves no half file behind.
        unfinished = path.with_name("unfinished.onnx")
        torch.onnx.export(
            load_model(task.model),
            (torch.zeros(task.shape),),
            unfinished,
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
        )
        os.replace(unfinished, path)
    return path

"""ncnn, converted by pnnx. Its networks take one image: a batch is a loop."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import ncnn
import numpy as np

from . import Call, Task


def _converted(task: Task) -> tuple[Path, Path]:
    folder = task.folder / "ncnn"
    parameters, weights = folder / "network.ncnn.param", folder / "network.ncnn.bin"
    if not weights.exists():
        # Not above: a process that finds the files shall not hold PyTorch.
        import pnnx
        import torch
        from blan_torch import load_model

        folder.mkdir(exist_ok=True)
        pixels = torch.zeros(1, *task.shape[1:])
        torch.jit.trace(load_model(task.model), pixels, check_trace=False).save(folder / "network.pt")
        shape = f"inputshape=[{','.join(map(str, pixels.shape))}]"
        program = Path(pnnx.EXEC_PATH)
        subprocess.run([program, "network.pt", shape, "fp16=0", "optlevel=2"], cwd=folder, check=True)
    return parameters, weights


def load(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    parameters, weights = _converted(task)
    network = ncnn.Net()
    network.opt.num_threads = task.threads
    network.opt.use_vulkan_compute = False
    for reduced in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
        if hasattr(network.opt, f"use_{reduced}"):
            setattr(network.opt, f"use_{reduced}", False)
    if network.load_param(str(parameters)) != 0 or network.load_model(str(weights)) != 0:
        raise RuntimeError(f"ncnn cannot load {parameters}")
    name_in, name_out = network.input_names()[0], network.output_names()[0]

    def one(pixels: np.ndarray) -> np.ndarray:
        extractor = network.create_extractor()
        extractor.input(name_in, ncnn.Mat(pixels))
        status, out = extractor.extract(name_out)
        if status != 0:
            raise RuntimeError(f"ncnn's extract gives {status}")
        return np.array(out).reshape(-1)

    return lambda batch: np.stack([one(pixels) for pixels in batch]), version("ncnn")

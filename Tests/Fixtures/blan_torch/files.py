"""libblan's weights file: safetensors with `format` = `blan` and `blan.config`."""

from __future__ import annotations

import os

from safetensors import safe_open
from safetensors.torch import save_file

from .configuration import Configuration
from .network import BLAN

TRAINING_HEADS = ("lmim.", "reconstruction.")


def save_model(path: str | os.PathLike[str], network: BLAN, *, training_heads: bool = False, **more: object) -> None:
    """Writes the weights in f32; `more` joins the configuration (`trained`, `thresholds`, `temperatures`)."""
    tensors = {
        name: value.detach().float().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked") and (training_heads or not name.startswith(TRAINING_HEADS))
    }
    save_file(tensors, path, metadata={"format": "blan", "blan.config": network.configuration.to_json(**more)})


def load_model(path: str | os.PathLike[str], dropout: float = 0.5) -> BLAN:
    """The network of a model file, in evaluation mode, with training heads if the file has them."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != "blan":
            raise ValueError(f"{path} is not a BLAN model")
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no mapping)
    heads = any(name.startswith(TRAINING_HEADS) for name in tensors)
    network = BLAN(Configuration.from_json(metadata["blan.config"]), heads, dropout)
    counters = {n: v for n, v in network.state_dict().items() if n.endswith("num_batches_tracked")}
    network.load_state_dict(counters | tensors)
    return network.eval()

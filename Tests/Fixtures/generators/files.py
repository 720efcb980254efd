"""Safetensors files that a second run writes alike: the library's own writer shuffles the metadata."""

import json

import numpy as np
from safetensors.numpy import save


def save_sorted(path, tensors, metadata):
    """Writes arrays and metadata, whose values become words."""
    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    content = save(arrays, {key: str(value) for key, value in metadata.items()} or None)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if metadata:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])

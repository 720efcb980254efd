"""The network of a model file as the library describes it: operations, and the tensors that they read."""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from typing import Any

import numpy as np

from .. import _batch
from .._arguments import path_bytes
from .._library import check, library


class NetworkFile:
    """An open model file; include/blan.h says what the keys of its graph mean.

    Args:
        path: a safetensors file, which must stay as it is while this object lives.

    Attributes:
        config: everything that `blan.config` says, defaults filled in.
        metadata: the file's other metadata.
        nodes: the operations, each after its inputs.
        outputs: the nodes that prediction hands out.

    Raises:
        BlanError: the file cannot be read or is no model.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._pointer = ctypes.c_void_p()
        check(library().blan_model_file_open(path_bytes(path), ctypes.byref(self._pointer)))
        weakref.finalize(self, library().blan_model_file_free, self._pointer).atexit = False
        graph = json.loads(library().blan_model_file_graph(self._pointer))
        self.config: dict[str, Any] = graph["config"]
        self.metadata: dict[str, str] = graph["metadata"]
        self.nodes: list[dict[str, Any]] = graph["nodes"]
        self.outputs: dict[str, Any] = graph["outputs"]
        self._shapes = {tensor["name"]: tensor["shape"] for tensor in graph["tensors"]}

    def tensor(self, name: str) -> np.ndarray:
        """One of the network's tensors in torch's layout, as float32."""
        values = np.empty(self._shapes[name], dtype=np.float32)
        check(library().blan_model_file_tensor(self._pointer, name.encode(), _batch.floats(values), values.size))
        return values

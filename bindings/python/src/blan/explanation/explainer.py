"""A model's network in the form that has gradients."""

from __future__ import annotations

import ctypes
import os
import weakref

from .. import _structures
from .._arguments import checked_threads, path_bytes
from .._library import check, library


class Explainer:
    """What Grad-CAM needs beside a `Model`: the same weights, once more, in a form that has gradients.

    `Model.explain` makes one itself where the model was loaded from a file. An explainer never changes: any number of
    threads may use one at the same time.

    Attributes:
        map_sizes: height and width of the Grad-CAM maps of levels 1 to 4.
    """

    def __init__(self, model: str | os.PathLike[str] | bytes, *, threads: int = 0) -> None:
        """Loads a model's file.

        Args:
            model: a safetensors file, or the bytes of one.
            threads: threads a call works on, 1 to 1024; 0 = all cores this process may use.

        Raises:
            BlanError: what `blan.load` raises.
        """
        options = _structures.LoadOptions(ctypes.sizeof(_structures.LoadOptions), checked_threads(threads), 0)
        out = ctypes.c_void_p()
        call = library()
        if isinstance(model, bytes):
            check(call.blan_explainer_load_memory(model, len(model), ctypes.byref(options), ctypes.byref(out)))
        else:
            check(call.blan_explainer_load(path_bytes(model), ctypes.byref(options), ctypes.byref(out)))
        self.pointer = out
        weakref.finalize(self, call.blan_explainer_free, out).atexit = False
        self.map_sizes: tuple[int, ...] = tuple(call.blan_explainer_map_size(out, level) for level in range(1, 5))

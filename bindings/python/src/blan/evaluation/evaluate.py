"""Running an evaluation."""

from __future__ import annotations

import ctypes
import json
import weakref
from collections.abc import Sequence

import numpy as np

from .. import _structures
from .._arguments import strings, within
from .._library import library
from . import running
from .result import Evaluation


def evaluate(
    handle: ctypes.c_void_p,
    data: running.Data,
    groups: str | Sequence[str | tuple[str, str]],
    training: running.Data | None,
    resamples: int,
    seed: int,
    batch: int,
    on_unreadable: running.OnUnreadable,
    on_progress: running.OnProgress | None,
    *,
    model: str,
    trained: bool,
) -> Evaluation:
    """What `Model.evaluate` does, with a model's handle."""
    data = running.opened(data)
    training = None if training is None else running.opened(training)
    requests = [groups] if isinstance(groups, str) else list(groups)
    names = [request if isinstance(request, str) else ",".join(request) for request in requests]
    watch = running.Watch(data, on_progress)
    options = _structures.EvaluateOptions(
        ctypes.sizeof(_structures.EvaluateOptions),
        strings("groups", names) if names else None,
        len(names),
        None if training is None else training.pointer,
        within("resamples", resamples, 0, 100_000),
        within("seed", seed, 0, 2**64 - 1),
        within("batch", batch, 1, 65_536),
        running.skips(on_unreadable),
        watch.on_error,
        watch.on_progress,
        None,
    )
    out = ctypes.c_void_p()
    watch.check(library().blan_evaluate(handle, data.pointer, ctypes.byref(options), ctypes.byref(out)))
    owner = _Owner(out)
    call = library()
    shape = (call.blan_evaluation_count(owner.pointer), call.blan_model_attribute_count(handle))
    return Evaluation(
        json.loads(call.blan_evaluation_json(owner.pointer)),
        np.ctypeslib.as_array(call.blan_evaluation_probabilities(owner.pointer), shape).copy(),
        np.ctypeslib.as_array(call.blan_evaluation_labels(owner.pointer), shape).copy(),
        model=model,
        trained=trained,
    )


class _Owner:
    """Owns a blan_evaluation."""

    def __init__(self, pointer: ctypes.c_void_p) -> None:
        self.pointer = pointer
        weakref.finalize(self, library().blan_evaluation_free, pointer).atexit = False

"""libblan through its Python package."""

import blan

from . import Call, Task


def load(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    model = blan.load(task.model, threads=task.threads)
    system = blan.system()
    return model.predict_tensor, f"{system.version} ({system.instruction_set})"

"""What a model scores on a part of the data, as numbers for tables and pages."""

from __future__ import annotations

import os
from typing import Any

from ..dataset import Dataset
from ..model import load


def evaluated(model: str | os.PathLike[str], data: Dataset, train: Dataset, *, threads: int) -> dict[str, Any]:
    """The evaluation of a model file, as blan.h describes its JSON.

    Args:
        model: the file.
        data: what to test on.
        train: whose labels give the majority guess.
        threads: to work on.
    """
    with load(model, threads=threads) as network:
        return network.evaluate(data, training=train, on_unreadable="skip").to_dict()

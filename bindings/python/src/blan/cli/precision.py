"""The option --precision."""

from __future__ import annotations

from enum import Enum


class Precision(str, Enum):
    """What a model computes with."""

    f32 = "f32"
    bf16 = "bf16"
    int8 = "int8"


def chosen(precision: Precision | None) -> str | None:
    """What `blan.load` takes."""
    return None if precision is None else precision.value

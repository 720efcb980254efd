"""What a model computes with."""

from __future__ import annotations

from typing import Literal, TypeAlias

from .errors import InvalidArgumentError

Precision: TypeAlias = Literal["f32", "bf16", "int8"]

MODEL = 3
"""BLAN_PRECISION_MODEL: what the model file asks for."""
_NAMES: dict[int, Precision] = {0: "f32", 1: "bf16", 2: "int8"}
NUMBERS: dict[str, int] = {name: number for number, name in _NAMES.items()}
"""blan_precision."""


def number_of(precision: str | None) -> int:
    """The number of a precision; None is the model's own."""
    if precision is None:
        return MODEL
    if precision not in NUMBERS:
        raise InvalidArgumentError(f"precision is {precision!r}; expected one of {', '.join(NUMBERS)}")
    return NUMBERS[precision]


def name_of(number: int) -> Precision:
    """The name of a precision."""
    return _NAMES[number]

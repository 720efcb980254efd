"""Attributes and scores as people name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal, TypeAlias

from ..errors import InvalidArgumentError

Score: TypeAlias = Literal["decision", 1, 2, 3, 4, "sum"]
"""What is explained: the decision (z of Eq. 6), one classifier's score s_1..s_4, or their sum s_5."""

SCORES: tuple[Score, ...] = ("decision", 1, 2, 3, 4, "sum")
"""In the order of blan_explain_target's `level`."""


def attributes_named(wanted: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    """The model's attributes of these names, each once; capitals and spaces for underscores do not matter.

    Raises:
        InvalidArgumentError: a name that the model does not have, with those that look like it.
    """
    known = {_plain(name): name for name in names}
    if not (found := dict.fromkeys(known.get(_plain(name)) or _unknown(name, known) for name in wanted)):
        raise InvalidArgumentError("there is no attribute to explain; expected at least one name")
    return tuple(found)


def scores_named(wanted: Iterable[Score]) -> tuple[Score, ...]:
    """These scores, each once.

    Raises:
        InvalidArgumentError: something that is no score.
    """
    found = tuple(dict.fromkeys(wanted))
    for score in found:
        if score not in SCORES or isinstance(score, bool):
            raise InvalidArgumentError(f'{score!r} is no score; expected "decision", 1 to 4 or "sum"')
    if not found:
        raise InvalidArgumentError('there is no score to explain; expected "decision", 1 to 4 or "sum"')
    return found


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")


def _unknown(name: str, known: dict[str, str]) -> str:
    near = [known[match] for match in get_close_matches(_plain(name), known, n=3, cutoff=0.5)]
    near += [full for plain, full in known.items() if _plain(name) and _plain(name) in plain and full not in near][:3]
    if near:
        hint = "; near it: " + ", ".join(near)
    else:
        some = list(known.values())[:5]
        hint = f"; it has {', '.join(some)}" + (f" and {len(known) - 5} more" if len(known) > 5 else "")
    raise InvalidArgumentError(f'the model has no attribute "{name}"{hint}')

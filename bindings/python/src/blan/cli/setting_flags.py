"""A flag for each setting of a run, made from what `Settings` says about it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Annotated, Any

import typer

from ..training.settings import AUGMENTATION, AUGMENTATIONS, FIELDS, LOSS

Command = Callable[..., None]

_PRESETS = {
    "os": (
        bool,
        typer.Option(
            "--os/--no-os",
            help="Overfitting suppression, all of it or none: dropout 0.5, --mirror and an ImageNet --encoder.",
            rich_help_panel=LOSS,
            show_default=False,
        ),
    ),
    "augment": (
        Enum("Augment", {name: name for name in AUGMENTATIONS}, type=str),
        typer.Option(help="Several of the following at once. [default: none]", rich_help_panel=AUGMENTATION),
    ),
}


def with_presets(names: Iterable[str]) -> list[str]:
    """The names with ``os`` and ``augment`` before what they stand for."""
    first = {"dropout": "os", "mirror": "augment"}
    return [each for name in names for each in ([first[name], name] if name in first else [name])]


def with_settings(names: Iterable[str]) -> Callable[[Command], Command]:
    """Gives a command a flag for each named setting.

    The command takes the settings that were given as one mapping, `given`; those left out are not in it.

    Args:
        names: of settings, in the order of the help; ``os`` and ``augment`` among them.
    """
    chosen = list(names)

    def decorate(command: Command) -> Command:
        def run(**arguments: Any) -> None:
            values = {name: arguments.pop(name) for name in chosen}
            command(**arguments, given={name: _plain(name, v) for name, v in values.items() if v is not None})

        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "given"]
        parameters = [*own, *map(_parameter, chosen)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _parameter(name: str) -> inspect.Parameter:
    kind, option = _PRESETS[name] if name in _PRESETS else _flag(FIELDS[name])
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _flag(field: dataclasses.Field) -> tuple[Any, Any]:
    about, default = field.metadata, field.default
    kind: Any = type(default)
    limits: dict[str, Any] = {}
    shown = "" if default in ("", ()) or kind is bool else str(default)
    if about["choices"]:
        kind = Enum(field.name, {choice.replace("-", "_"): choice for choice in about["choices"]}, type=str)
    elif kind is tuple:
        kind = str
    elif kind in (int, float):
        limits = {"min": about["low"], "max": about["high"]}
    if kind is bool:
        shown = "on" if default else "off"
    text = about["help"] + (f" [default: {shown}]" if shown else "")
    option = typer.Option(*about["flags"], help=text, rich_help_panel=about["group"], show_default=False, **limits)
    return kind, option


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if name in FIELDS and isinstance(FIELDS[name].default, tuple):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value

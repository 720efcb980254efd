"""Settings as a TOML file: read with every fault named, written with a comment for each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from .._files import write_atomically
from ..errors import FileError, FormatError
from .settings import FIELDS, Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECORD = "run"
"""The table of a run's train.toml that says what it ran with; it is no setting."""

_PRESETS = {"os": bool, "augment": str}


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The settings in a TOML file, each of its proper type.

    Raises:
        FileError: the file cannot be read.
        FormatError: it is no TOML, or a setting is unknown or of another type.
    """
    content = _parse(path)
    content.pop(RECORD, None)
    return {name: _typed(os.fspath(path), name, value) for name, value in content.items()}


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a run's train.toml says it ran with."""
    record = _parse(path).get(RECORD, {})
    return record if isinstance(record, dict) else {}


def write(path: str | os.PathLike[str], settings: Settings, record: Mapping[str, str | int]) -> None:
    """Writes all settings and the record; the file appears whole or not at all."""
    lines = ["# Settings of a run of libblan. `blan train --config` reads this file."]
    group = ""
    for name, option in FIELDS.items():
        if option.metadata["group"] != group:
            group = option.metadata["group"]
            lines += ["", f"# {group}"]
        lines.append(f"{name} = {_literal(getattr(settings, name))}".ljust(36) + f"  # {option.metadata['help']}")
    lines += ["", "# What it ran with: not read as settings.", f"[{RECORD}]"]
    lines += [f"{name} = {_literal(value)}" for name, value in record.items()]
    write_atomically(path, "\n".join(lines) + "\n")


def _parse(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise FileError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{os.fspath(path)}: {error}") from error


def _typed(path: str, name: str, value: Any) -> Any:
    if name not in FIELDS and name not in _PRESETS:
        raise FormatError(f"{path}: no setting is called {name!r}; they are {', '.join([*FIELDS, *_PRESETS])}")
    expected = _PRESETS[name] if name in _PRESETS else type(FIELDS[name].default)
    if expected is float and type(value) is int:
        return float(value)
    if expected is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if type(value) is not expected:
        wanted = "a list of strings" if expected is tuple else expected.__name__
        raise FormatError(f"{path}: {name} is {value!r}; expected {wanted}")
    return value


def _literal(value: str | bool | int | float | tuple[str, ...]) -> str:
    """A TOML literal; JSON's strings and numbers are TOML's too, but for one control character."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

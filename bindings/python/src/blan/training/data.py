"""The data of a run: its parts, a hash of them, and the weights that balance its labels."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

import numpy as np

from ..dataset import Dataset
from ..errors import InvalidArgumentError
from .settings import Settings


@dataclass(frozen=True)
class Parts:
    """What a run trains on and validates on.

    Attributes:
        train: the images to train on.
        validation: the images to validate on, or None.
        drawn: True where the validation images were drawn from the training part.
    """

    train: Dataset
    validation: Dataset | None
    drawn: bool

    def hash(self) -> str:
        """A hash of names, sizes and labels: it changes when images are added, removed, replaced or relabelled."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation):
            if part is not None:
                _update(digest, part)
        return "sha256:" + digest.hexdigest()


def open_parts(settings: Settings) -> Parts:
    """Opens the data of a run.

    The training part is DATA's own, or all of DATA where it has no parts or where all is wanted. The validation part is
    `validation`, or DATA's own, or drawn from the images to train on by the seed.

    Raises:
        BlanError: the data cannot be opened; the class says why.
    """
    whole = _open(settings, settings.data, "all")
    divided = settings.part == "train"
    train = (_part(settings, "train") if divided else None) or whole
    drawn = False
    if settings.validation:
        validation = _open(settings, settings.validation, "all")
    else:
        validation = _part(settings, "validation") if divided else None
        if validation is None and settings.validation_share > 0:
            train, validation = train.split(settings.validation_share, seed=settings.seed)
            drawn = True
    return Parts(limited(train, settings.limit), validation and limited(validation, settings.limit), drawn)


def limited(data: Dataset, limit: int) -> Dataset:
    """The first `limit` images; all of them for 0."""
    return data if limit == 0 or limit >= len(data) else data.subset(range(limit))


def balanced_weights(data: Dataset, *, limit: float = 100.0) -> np.ndarray:
    """For each attribute the factor of present labels that gives both answers the same weight: absent / present.

    Unknown labels do not count. An attribute that is never present or never absent gets 1, and no factor leaves the
    range from 1 / `limit` to `limit`, so that a handful of images cannot drown all others.

    Args:
        data: whose labels are counted.
        limit: the greatest factor.
    """
    present = np.count_nonzero(data.labels == 1, axis=0)
    absent = np.count_nonzero(data.labels == -1, axis=0)
    both = (present > 0) & (absent > 0)
    return np.where(both, np.clip(absent / np.maximum(present, 1), 1 / limit, limit), 1.0)


def _open(settings: Settings, path: str, split: str) -> Dataset:
    names = settings.attributes or None
    return Dataset.open(path, split=split, attributes=names, lfwa_protocol=settings.lfwa_protocol)  # type: ignore[arg-type]


def _part(settings: Settings, split: str) -> Dataset | None:
    """A part of DATA; None where it lacks that one. That DATA as a whole can be opened is known."""
    try:
        return _open(settings, settings.data, split)
    except InvalidArgumentError:
        return None


def _update(digest: hashlib._Hash, part: Dataset) -> None:
    # The source is the folder, or a file in it.
    root = os.path.abspath(part.source if os.path.isdir(part.source) else os.path.dirname(part.source))
    digest.update("\n".join(part.attributes).encode() + b"\0")
    for path in part.paths:
        try:
            size = os.path.getsize(path)
        except OSError:
            size = -1
        name = os.path.relpath(os.path.abspath(path), root)
        digest.update(os.fsencode(f"{name}\0{size}\0"))
    digest.update(part.labels.tobytes())

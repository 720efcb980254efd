"""Data sets: images with their labels, as training, evaluation and calibration go through them."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from . import _structures
from ._arguments import path_bytes, strings, within
from ._library import check, library
from .errors import InvalidArgumentError

Kind: TypeAlias = Literal["automatic", "celeba", "lfwa", "csv"]
Split: TypeAlias = Literal["all", "train", "validation", "test"]
LFWAProtocol: TypeAlias = Literal["halves", "eighty-ten"]

_KINDS = {"automatic": 0, "celeba": 1, "lfwa": 2, "csv": 3}
_SPLITS = {"all": -1, "train": 0, "validation": 1, "test": 2}
_PROTOCOLS = {"halves": 0, "eighty-ten": 1}


class Dataset:
    """Images with their labels. It holds paths, not pixels, and never changes: share it between threads freely.

    Made by `Dataset.open`, and by `subset` and `split` of another.

    Attributes:
        source: what it was opened from.
        attributes: names of the attributes, in the order of the labels.
    """

    def __init__(self, handle: ctypes.c_void_p, source: str) -> None:
        self.pointer = handle  # of the library's blan_dataset; freed with this object
        self.source = source
        call = library()
        weakref.finalize(self, call.blan_dataset_free, handle).atexit = False
        self._count: int = call.blan_dataset_count(handle)
        count = call.blan_dataset_attribute_count(handle)
        self.attributes = tuple(call.blan_dataset_attribute_name(handle, i).decode() for i in range(count))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        split: Split = "all",
        attributes: Sequence[str] | None = None,
        kind: Kind = "automatic",
        lfwa_protocol: LFWAProtocol = "halves",
    ) -> Dataset:
        """Opens a data set.

        Args:
            path: a folder (CelebA as torchvision lays it out, LFWA, or one that holds a single .csv file), a CSV file
                with a `path` column and labels 0/1, -1/1 or blank (unknown), or LFWA's label file.
            split: the part wanted; CSV needs a `split` column for any but "all".
            attributes: those wanted, in this order; None = all.
            kind: what lies at `path`; "automatic" = what it looks like.
            lfwa_protocol: how LFWA is divided: halves, or 80 % to train with and 10 % each to validate and test.

        Raises:
            FileError: something cannot be read.
            FormatError: a file is damaged; the message names line and column.
            InvalidArgumentError: an attribute or a part that the data lack.
        """
        options = _structures.DatasetOptions(
            ctypes.sizeof(_structures.DatasetOptions),
            _number(_KINDS, "kind", kind),
            _number(_SPLITS, "split", split),
            _number(_PROTOCOLS, "lfwa_protocol", lfwa_protocol),
            None if attributes is None else strings("attributes", attributes),
            0 if attributes is None else len(attributes),
        )
        out = ctypes.c_void_p()
        check(library().blan_dataset_open(path_bytes(path), ctypes.byref(options), ctypes.byref(out)))
        return cls(out, os.fspath(path))

    def __len__(self) -> int:
        return self._count

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The file of each image."""
        path = library().blan_dataset_path
        return tuple(os.fsdecode(path(self.pointer, i)) for i in range(self._count))

    @cached_property
    def labels(self) -> np.ndarray:
        """A row per image, a column per attribute, of int8: 1 present, -1 absent, 0 unknown. Read-only."""
        labels = np.empty((self._count, len(self.attributes)), dtype=np.int8)
        row_of = library().blan_dataset_labels
        for index, row in enumerate(labels):
            check(row_of(self.pointer, index, row.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))))
        labels.flags.writeable = False
        return labels

    @cached_property
    def groups(self) -> dict[str, tuple[str | None, ...]]:
        """The columns that are no labels, such as a CSV file's for rates by group: a value per image, None if blank."""
        call = library()
        columns = {}
        for index in range(call.blan_dataset_group_count(self.pointer)):
            values = (call.blan_dataset_group_value(self.pointer, index, item) for item in range(self._count))
            name = call.blan_dataset_group_name(self.pointer, index).decode()
            columns[name] = tuple(None if value is None else value.decode() for value in values)
        return columns

    def subset(self, items: Iterable[int]) -> Dataset:
        """The images at the given places, in that order, as a data set of its own.

        Raises:
            InvalidArgumentError: no place is given, or one outside the data set.
        """
        places = [int(item) for item in items]
        for place in places:
            if not 0 <= place < self._count:
                raise InvalidArgumentError(f"{self.source} has no item {place}; it has {self._count}, from 0")
        array = (ctypes.c_size_t * len(places))(*places)
        out = ctypes.c_void_p()
        check(library().blan_dataset_subset(self.pointer, array, len(places), ctypes.byref(out)))
        return Dataset(out, self.source)

    def split(self, validation_share: float, *, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Draws a share (0 to 1) of the images for validation by a seed.

        Returns:
            The images for training and those for validation.
        """
        within("seed", seed, 0, 2**64 - 1)
        training, validation = ctypes.c_void_p(), ctypes.c_void_p()
        call = library().blan_dataset_split
        check(call(self.pointer, validation_share, seed, ctypes.byref(training), ctypes.byref(validation)))
        return Dataset(training, self.source), Dataset(validation, self.source)

    def __repr__(self) -> str:
        return f"<Dataset {self.source}: {self._count} images, {len(self.attributes)} attributes>"


def _number(numbers: dict[str, int], name: str, value: str) -> int:
    if value not in numbers:
        raise InvalidArgumentError(f"{name} is {value!r}; expected one of {', '.join(numbers)}")
    return numbers[value]

"""What each table of the paper compares: trainings, and what their models are tested on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..errors import InvalidArgumentError
from ..paper import figures

DataName: TypeAlias = Literal["CelebA", "LFWA"]

NAMES = ("table4", "table5", "table6", "table8", "table9", "fig3")
TITLES = {
    "table4": "Table 4: ablation",
    "table5": "Table 5: attention settings",
    "table6": "Table 6: weights of LMIM (alpha) and reconstruction (beta)",
    "table8": "Table 8: shares of training and test images",
    "table9": "Table 9: across data sets",
    "fig3": "Fig. 3: accuracy of each classifier",
}
COMPARED = {
    "table4": ("row", "network"),
    "table5": ("attention", "suppression"),
    "table6": ("beta", "alpha"),
    "table8": ("train : test", "suppression"),
    "table9": ("suppression", "train", "test"),
    "fig3": ("attribute",),
}
"""The columns that say what a row is."""

_VARIANTS = {
    1: "encoder",
    2: "encoder, LMIM",
    3: "decoder, LMIM",
    4: "encoder and decoder, LMIM",
    5: "encoder and decoder, LMIM, RDAM",
    6: "BLAN: all of it with score fusion",
}


@dataclass(frozen=True)
class Place:
    """Where data lie.

    Attributes:
        name: what the paper calls such data.
        path: of the data set.
        protocol: of LFWA.
        split: the part to test on.
    """

    name: DataName
    path: str
    protocol: str = "halves"
    split: str = "test"


@dataclass(frozen=True)
class Cell:
    """One training, or a part of it that a table names, and a test of it.

    Attributes:
        labels: what the row is, as `COMPARED` heads it.
        settings: of the training.
        test: what its model is tested on.
        paper: the paper's accuracy in per cent; None where it prints none.
        missing: why it cannot be run; "" where it can.
    """

    labels: tuple[str, ...]
    settings: Mapping[str, Any]
    test: Place
    paper: float | None
    missing: str = ""


@dataclass(frozen=True)
class Plan:
    """What a user has for the experiments.

    Attributes:
        data: a data set, CelebA's or another.
        lfwa: LFWA's folder; "" for none.
        given: settings for all trainings.
        partial_suppression: run what the paper trains with overfitting suppression without the encoder from ImageNet.
    """

    data: str
    lfwa: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    partial_suppression: bool = False

    def cells(self, name: str) -> list[Cell]:
        """The cells of a table, in the paper's order.

        Raises:
            InvalidArgumentError: there is no such experiment.
        """
        if name not in NAMES:
            raise InvalidArgumentError(f"no experiment is called {name!r}; expected one of {', '.join(NAMES)}")
        return {
            "table4": self._table4,
            "table5": self._table5,
            "table6": self._table6,
            "table8": self._table8,
            "table9": self._table9,
            "fig3": self._fig3,
        }[name]()

    def _celeba(self) -> Place:
        return Place("CelebA", os.path.abspath(self.data))

    def _lfwa(self, protocol: str = "halves") -> Place:
        return Place("LFWA", os.path.abspath(self.lfwa) if self.lfwa else "", protocol)

    def _lfwa_or_data(self) -> Place:
        """The paper's LFWA; without it the other data, so that the comparison can be made at all."""
        return self._lfwa() if self.lfwa else self._celeba()

    def _cell(
        self,
        labels: tuple[str, ...],
        train: Place,
        test: Place,
        paper: float | None,
        suppression: bool,
        **settings: Any,
    ) -> Cell:
        """A cell whose training is given by what differs from the common settings."""
        input_size = figures()["settings"]["input_size"][train.name]
        common = {"input_size": input_size, "seed": 0, **self.given}
        own = {"data": train.path, "lfwa_protocol": train.protocol, **settings}
        own |= {"dropout": 0.5, "mirror": True} if suppression else {"dropout": 0.0, "mirror": False}
        if not suppression or self.partial_suppression:
            own["encoder"] = ""
        missing = "" if train.path and test.path else "needs LFWA (--lfwa)"
        return Cell(labels, common | own, test, paper, missing or self._lacking(suppression, {**common, **own}))

    def _lacking(self, suppression: bool, settings: Mapping[str, Any]) -> str:
        """Why a training with overfitting suppression cannot be run."""
        if not suppression or self.partial_suppression:
            return ""
        if not settings.get("encoder"):
            return "needs an ImageNet ResNet-34 (--encoder), or --partial-os"
        if settings.get("width", 64) != 64:
            return "a ResNet-34's weights need width 64 (or --partial-os)"
        return ""

    def _table4(self) -> list[Cell]:
        place = self._celeba()
        return [
            self._cell(
                (str(variant), _VARIANTS[variant]),
                place,
                place,
                figures()["table4"][str(variant)],
                False,
                variant=variant,
            )
            for variant in _VARIANTS
        ]

    def _table5(self) -> list[Cell]:
        place = self._lfwa_or_data()
        return [
            self._cell((order, _suppression(os_)), place, place, _of(row, os_), os_, attention=order)
            for os_ in (False, True)
            for order, row in figures()["table5"].items()
        ]

    def _table6(self) -> list[Cell]:
        place = self._lfwa_or_data()
        return [
            self._cell((beta, alpha), place, place, paper, True, alpha=float(alpha), beta=float(beta))
            for beta, row in figures()["table6"].items()
            for alpha, paper in row.items()
        ]

    def _table8(self) -> list[Cell]:
        shares = {"halves": "50 : 50", "eighty-ten": "80 : 10"}
        return [
            self._cell(
                (shares[protocol], _suppression(os_)), self._lfwa(protocol), self._lfwa(protocol), _of(row, os_), os_
            )
            for os_ in (False, True)
            for protocol, row in figures()["table8"].items()
        ]

    def _table9(self) -> list[Cell]:
        places = {"LFWA": self._lfwa(), "CelebA": self._celeba()}
        return [
            self._cell(
                (_suppression(os_), train, test),
                places[train],  # type: ignore[index]
                places[test],  # type: ignore[index]
                _of(row, os_),
                os_,
                part="all" if train == "LFWA" and test == "CelebA" else "train",
            )
            for os_ in (False, True)
            for train, tests in figures()["table9"].items()
            for test, row in tests.items()
        ]

    def _fig3(self) -> list[Cell]:
        place = self._celeba()
        return [self._cell(("all",), place, place, figures()["table4"]["6"], False)]


def _suppression(with_it: bool) -> str:
    return "with OS" if with_it else "without OS"


def _of(row: Mapping[str, float], suppression: bool) -> float:
    return row["with" if suppression else "without"]

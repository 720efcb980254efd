"""What the network says about one face."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .detection import Face
from .errors import BlanError


@dataclass(frozen=True, repr=False, eq=False)
class Prediction:
    """The attributes of one face.

    Attributes:
        names: the N attributes in the order of every array here.
        probabilities: N floats, 0 to 1: how likely each attribute is present. NaN throughout when `error` is set.
        thresholds: N floats: the probability from which an attribute counts as present.
        trained: False when the model's weights are random; nothing here means anything then.
        source: the path that was given, or "" for a photo from memory.
        face: where the face is in the photo; None for a crop that was aligned already.
        error: why this photo could not be read, where `predict` was told to keep such items; else None.
        scores: 5xNx2, s_1..s_4 of the four classifiers and s_5, their sum, where asked for; [..., 1] is "present".
        logits: Nx2, the decision before its softmax (z of the paper's Eq. 6), where asked for.
        embeddings: 4xE, T_1..T_4 of the four levels, where asked for.
        attention: the spatial attention maps of Eq. 3 (0 to 1), shallowest first, each S/4, S/8 or S/16 square, where
            asked for; empty for a variant without attention.
    """

    names: tuple[str, ...]
    probabilities: np.ndarray
    thresholds: np.ndarray
    trained: bool
    source: str = ""
    face: Face | None = None
    error: BlanError | None = None
    scores: np.ndarray | None = None
    logits: np.ndarray | None = None
    embeddings: np.ndarray | None = None
    attention: tuple[np.ndarray, ...] | None = field(default=None)

    @property
    def attributes(self) -> dict[str, float]:
        """The attributes that count as present and their probabilities, most likely first."""
        return {name: p for name, p in self.ranked() if p >= self.thresholds[self.names.index(name)]}

    def ranked(self) -> list[tuple[str, float]]:
        """All attributes and their probabilities, most likely first."""
        order = np.argsort(-self.probabilities, kind="stable")
        return [(self.names[i], float(self.probabilities[i])) for i in order]

    def __getitem__(self, name: str) -> float:
        """The probability of one attribute; KeyError for a name the model does not know."""
        try:
            return float(self.probabilities[self.names.index(name)])
        except ValueError:
            raise KeyError(name) from None

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON can hold it: source, trained, the face, attributes present, every probability by name.

        A photo that could not be read has `error` in place of these; a crop that was aligned already has no face.
        """
        result: dict[str, Any] = {"source": self.source, "trained": self.trained}
        if self.error is not None:
            return result | {"error": {"type": type(self.error).__name__, "message": str(self.error)}}
        if self.face is not None:
            result["face"] = self.face.to_dict()
        probabilities = {name: float(p) for name, p in zip(self.names, self.probabilities, strict=True)}
        return result | {"attributes": list(self.attributes), "probabilities": probabilities}

    def __repr__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        if self.error is not None:
            return f"<Prediction {where}{type(self.error).__name__}: {self.error}>"
        present = ", ".join(f"{name} {p:.2f}" for name, p in self.attributes.items()) or "no attribute above threshold"
        return f"<Prediction {where}{present}{'' if self.trained else ' (UNTRAINED model)'}>"

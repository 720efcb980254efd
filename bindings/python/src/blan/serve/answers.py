"""Answers as JSON holds them, and their description for the API's schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..detection import Face
from ..errors import BlanError, InternalError, OutOfMemoryError
from ..prediction import Prediction
from ..report import heat, png


def face_answer(prediction: Prediction, face: Face | None, crop: np.ndarray | None) -> dict[str, Any]:
    """One face: what `blan predict --json` prints of it, and with its crop also pictures.

    Args:
        prediction: of the network; with attention maps where `crop` is given.
        face: where it is; None for a crop that came aligned.
        crop: the aligned face, HxWx3, to show with its attention maps; None = no pictures.
    """
    answer = replace(prediction, face=face).to_dict()
    del answer["source"], answer["trained"]  # the photo and the whole answer say these
    if crop is not None:
        answer["crop"] = png.data_uri(png.encode(crop))
        answer["attention"] = [_map(level) for level in prediction.attention or ()]
    return answer


def _map(level: np.ndarray) -> dict[str, Any]:
    low, high = float(level.min()), float(level.max())
    return {"size": level.shape[0], "low": low, "high": high, "picture": heat.overlay(level)}


def error_answer(name: str, error: BlanError) -> dict[str, Any]:
    """A photo that could not be read."""
    return {"name": name, "error": {"type": type(error).__name__, "message": str(error)}}


def is_fault_of_the_server(error: BlanError) -> bool:
    """Whether another photo would have fared no better."""
    return isinstance(error, (InternalError, OutOfMemoryError))


class ErrorText(BaseModel):
    """What was wrong."""

    type: str = Field(description="a short name that programs can rely on")
    message: str = Field(description="what and where, for people")


class FaceBox(BaseModel):
    """Where a face is, in pixels of the upright photo."""

    box: tuple[float, float, float, float] = Field(description="left, top, right, bottom")
    score: float = Field(description="how sure the detector is, 0 to 1")
    landmarks: list[tuple[float, float]] = Field(
        description="x, y: the eye on the photo's left, that on its right, the nose, the mouth's left and right corners"
    )


class AttentionMap(BaseModel):
    """One spatial attention map."""

    size: int = Field(description="its height and width in cells")
    low: float = Field(description="its smallest value, 0 to 1")
    high: float = Field(description="its largest value")
    picture: str = Field(description="a PNG as data URL to lay over the crop; the colours span low to high")


class FaceAnswer(BaseModel):
    """One face."""

    face: FaceBox | None = Field(None, description="absent for crops that came aligned")
    attributes: list[str] = Field(description="those whose probability reaches their threshold, most likely first")
    probabilities: dict[str, float] = Field(description="of every attribute")
    crop: str | None = Field(None, description="the aligned face, a PNG as data URL; with attention=true")
    attention: list[AttentionMap] | None = Field(None, description="finest first; with attention=true")


class PhotoAnswer(BaseModel):
    """One photo: faces, or an error."""

    name: str = Field(description="of the file, as it was sent")
    width: int | None = Field(None, description="of the upright photo in pixels; likewise the height")
    height: int | None = None
    found: int | None = Field(None, description="faces in the photo, of which the largest are predicted")
    faces: list[FaceAnswer] | None = Field(None, description="the largest first; empty where there is none")
    error: ErrorText | None = Field(None, description="why the photo could not be read, in place of the faces")


class Answer(BaseModel):
    """The answer to POST /predict."""

    trained: bool = Field(description="false when the model's weights are random: nothing here means anything then")
    photos: list[PhotoAnswer] = Field(description="in the order they were sent")


class RefusalAnswer(BaseModel):
    """The answer to a request that is refused as a whole."""

    error: ErrorText


class ModelAnswer(BaseModel):
    """The answer to GET /model."""

    model_config = ConfigDict(protected_namespaces=())

    version: str = Field(description="of libblan")
    model: str = Field(description="name of the model's file")
    trained: bool
    input_size: int = Field(description="height and width of the network's input in pixels")
    names: list[str] = Field(description="the attributes")
    thresholds: dict[str, float] = Field(description="probability from which an attribute counts as present")
    limits: dict[str, float] = Field(description="what a request may hold")

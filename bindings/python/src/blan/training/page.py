"""What the page about a run shows, gathered from its folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from .._files import write_atomically
from ..dataset import Dataset
from ..evaluation import Evaluation
from ..model import load
from ..report.training import Sample, Training
from . import config
from .evaluating import evaluated

if TYPE_CHECKING:
    from .run import Run

EVALUATION = "evaluation.json"
_SAMPLES = 12


def gathered(run: Run) -> Training:
    """The page's content; a run that is not finished has neither accuracies nor samples yet."""
    result, validation = run.result(), run.parts.validation
    finished = result is not None and result.finished
    tested = validation if finished else None
    return Training(
        title=f"Training {run.folder.resolve().name}",
        lead=_lead(run, finished),
        steps=run.steps(),
        epochs=run.epochs(),
        settings=asdict(run.settings),
        record=config.read_record(run.path("train.toml")),
        evaluation=None if tested is None else _evaluation(run, tested),
        samples=() if tested is None else _samples(run, tested),
    )


def _lead(run: Run, finished: bool) -> str:
    settings, epochs = run.settings, len(run.epochs())
    state = f"{epochs} epochs" if finished else f"not finished: {epochs} of {settings.epochs} epochs"
    network = f"width {settings.width}, input {settings.input_size} x {settings.input_size}, variant {settings.variant}"
    return f"{os.path.basename(settings.data)}, {len(run.parts.train)} images; {network}; {state}"


def _evaluation(run: Run, validation: Dataset) -> Evaluation:
    """Of the exported model on the validation part; a finished run is evaluated once."""
    path = run.path(EVALUATION)
    if not path.exists():
        report = evaluated(run.path("model.safetensors"), validation, run.parts.train, threads=run.settings.threads)
        write_atomically(path, json.dumps(report, indent=1) + "\n")
    return Evaluation.from_dict(json.loads(path.read_text(encoding="utf-8")))


def _samples(run: Run, validation: Dataset) -> list[Sample]:
    """Some images from all over the validation part."""
    count = min(_SAMPLES, len(validation))
    places = [index * len(validation) // count for index in range(count)]
    with load(run.path("model.safetensors"), threads=run.settings.threads) as model:
        predictions = model.predict([validation.paths[place] for place in places], aligned=True, on_error="keep")
    order = [validation.attributes.index(name) for name in model.names if name in validation.attributes]
    return [
        Sample(prediction, validation.labels[place][order])
        for prediction, place in zip(predictions, places, strict=True)
    ]

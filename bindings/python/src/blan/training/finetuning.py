"""Fine-tuning a trained model in one call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..bundled import default_model_path
from ..errors import InvalidArgumentError
from ..model import Model, load
from .progress import History, OnProgress
from .run import MODEL, Run
from .settings import FINETUNING


class FineTuned(NamedTuple):
    """What `finetune` returns: the model, ready to predict, and how it came about."""

    model: Model
    history: History


def finetune(
    model: Model | str | os.PathLike[str] | None,
    data: str | os.PathLike[str],
    attributes: Sequence[str] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> FineTuned:
    """Fine-tunes a trained model on your own photos.

        model, history = blan.finetune(None, "photos.csv", out="my-model", freeze="encoder")

    Attributes that the model knows keep their heads, others get new ones. Batch norm keeps its statistics unless the
    batch is 16 or more; training stops when three epochs brought nothing better; the model that comes back is that of
    the best epoch on the validation part, which is drawn from the data where they have none.

    Args:
        model: what to start from; None = the model that comes with the package.
        data: a CSV file (`path` and a column for each attribute; 0/1, -1/1 or blank), a folder with one, or CelebA
            or LFWA.
        attributes: those to learn, in the order of the outputs; None = all of the data.
        out: folder for checkpoints (last and best), logs, settings and model.safetensors; None = nothing is kept.
        resume: go on with the run in `out`.
        on_progress: as in `Trainer.fit`.
        **settings: any other field of `blan.training.Settings`, such as epochs, batch, learning_rate, patience,
            freeze ("encoder"), balanced (True: rare labels weigh more), statistics ("frozen", "batch"), augment
            ("light"), validation, validation_share, seed, threads.

    Returns:
        The model and the history of this call; ``history.cancelled`` when `on_progress` stopped it.

    Raises:
        InvalidArgumentError: a setting is unknown or out of range.
        BlanError: what `Trainer.fit` raises.
    """
    given = dict(settings, start=_path_of(model), data=os.fspath(data))
    if attributes is not None:
        given["attributes"] = tuple(attributes)
    if isinstance(given.get("freeze"), str):
        given["freeze"] = tuple(given["freeze"].split(","))
    if out is None:
        with tempfile.TemporaryDirectory(prefix="blan-") as folder:
            return _finetune(folder, given, resume, on_progress, keep=False)
    return _finetune(out, given, resume, on_progress, keep=True)


def _finetune(
    folder: str | os.PathLike[str], given: dict[str, Any], resume: bool, on_progress: OnProgress | None, keep: bool
) -> FineTuned:
    with Run(folder, given, resume=resume, defaults=FINETUNING) as run:
        run.train(on_progress)
        path = run.path(MODEL)
        return FineTuned(load(path if keep else path.read_bytes(), threads=run.settings.threads), run.history)


def _path_of(model: Model | str | os.PathLike[str] | None) -> str:
    if model is None:
        return default_model_path()
    if isinstance(model, Model):
        if not model.path:
            raise InvalidArgumentError("the model was loaded from bytes; fine-tuning needs its file")
        return model.path
    return os.fspath(model)

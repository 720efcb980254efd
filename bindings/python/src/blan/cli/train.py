"""`blan train` and `blan finetune`: training in a folder, shown while it goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bundled import default_model_path
from ..errors import BlanError
from ..training import config
from ..training.processes import Processes, world
from ..training.run import LAST, MODEL, REPORT, Result, Run
from ..training.settings import FIELDS, FINETUNING, merged
from .console import note, warn
from .interrupts import Interrupts
from .live import Display, Silent, display, percent
from .options import NoProgress
from .setting_flags import with_presets, with_settings

TRAIN_EXAMPLES = """\b
Examples:
  blan train celeba/ --out runs/first --width 16 --input-size 128
  blan train photos.csv --out runs/own --augment light --patience 5
  blan train --out runs/first --resume
  mpirun -n 4 blan train celeba/ --out runs/shared
"""

FINETUNE_EXAMPLES = """\b
Examples:
  blan finetune default photos.csv --out runs/mine --freeze encoder
  blan finetune mine.safetensors photos.csv --out runs/next --attributes Smiling,Scarf --balanced
"""

_NEW_NETWORK = ("width", "input_size", "variant", "attention", "encoder", "os")
_TRAIN = [name for name in with_presets(FIELDS) if name not in ("data", "start")]
_FINETUNE = [name for name in _TRAIN if name not in _NEW_NETWORK]

Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoints, logs, settings, model, report.")]
Config = Annotated[
    Path | None, typer.Option(help="TOML file with settings, such as the train.toml of a run; flags win over it.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the run in --out, or begin where there is none.", show_default=False),
]


@with_settings(_TRAIN)
def train(
    out: Out,
    given: Mapping[str, Any],
    data: Annotated[
        str | None, typer.Argument(help="Data set: a CelebA or LFWA folder, a CSV file, or a folder with one.")
    ] = None,
    config: Config = None,
    resume: Resume = False,
    quiet: NoProgress = False,
) -> None:
    """Train a new network.

    The defaults are the paper's, but for the ImageNet encoder, which --encoder names. --out receives train.toml (the
    settings), steps.csv, epochs.csv, last.safetensors and best.safetensors (checkpoints), model.safetensors (the best
    weights, to predict with) and report.html.

    Ctrl-C stops after the step with a checkpoint, and --resume goes on as if nothing had happened; a second Ctrl-C ends
    at once.

    Under mpirun (pip install 'blan[mpi]') the processes share each batch: the result is that of one process, and a run
    may be resumed with another number of them. docs/scale.md tells more.
    """
    named = {} if data is None else {"data": data}
    _run(out, layered(config, {**given, **named}), resume, quiet, {})


@with_settings(_FINETUNE)
def finetune(
    model: Annotated[str, typer.Argument(help='Model to start from; "default" is the one that comes with blan.')],
    out: Out,
    given: Mapping[str, Any],
    data: Annotated[
        str | None, typer.Argument(help="Data set: a CSV file, a folder with one, or a CelebA or LFWA folder.")
    ] = None,
    config: Config = None,
    resume: Resume = False,
    quiet: NoProgress = False,
) -> None:
    """Fine-tune a trained model on your own photos and attributes.

    Attributes that the model knows keep their heads, others get new ones. A CSV file has a `path` column, a column for
    each attribute (0/1, -1/1 or blank for unknown), and perhaps a `split` column (train, validation, test).

    --out receives the same files as that of `blan train`.
    """
    named = {"start": default_model_path() if model == "default" else model}
    if data is not None:
        named["data"] = data
    _run(out, layered(config, {**given, **named}), resume, quiet, FINETUNING)


def layered(file: Path | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a TOML file with those of the flags over them."""
    return merged({} if file is None else config.read(file), flags)


def fit(run: Run, shown: Display) -> Result:
    """Trains until the end or until Ctrl-C.

    Returns:
        How the run stands; it is not finished after Ctrl-C.
    """

    def stopping() -> None:
        shown.say("stopping after this step; Ctrl-C again ends at once")

    with shown, Interrupts(stopping) as interrupts:

        def listen(progress: object) -> bool:
            shown.show(progress)  # type: ignore[arg-type]
            return not interrupts.requested

        return run.train(listen)


def _run(out: Path, given: Mapping[str, Any], resume: bool, quiet: bool, defaults: Mapping[str, Any]) -> None:
    processes = world()
    if processes is None:
        finished = _shown(out, given, resume, quiet, defaults)
    else:
        try:
            with processes.ending_together():
                if processes.rank == 0:
                    finished = _shown(out, given, resume, quiet, defaults, processes)
                else:
                    with Run(out, given, resume=resume, defaults=defaults, processes=processes) as run:
                        finished = fit(run, Silent()).finished
        except BlanError as error:
            if processes.rank == 0:
                raise
            raise typer.Exit(1) from error  # the first process tells
    if not finished:
        raise typer.Exit(130)


def _shown(
    out: Path,
    given: Mapping[str, Any],
    resume: bool,
    quiet: bool,
    defaults: Mapping[str, Any],
    processes: Processes | None = None,
) -> bool:
    """Trains and tells; whether the run came to its end."""
    with Run(out, given, resume=resume, defaults=defaults, processes=processes) as run:
        for text in run.notes:
            warn(text)
        if not quiet:
            note(_about(run) + ("" if processes is None else f"; {processes.size} processes"))
        result = fit(run, display(quiet))
        run.report()
        if not result.finished:
            note(f"stopped after step {len(run.steps())}; the same command with --resume goes on from {run.path(LAST)}")
        elif not quiet:
            best = "" if result.best_accuracy is None else f": {percent(result.best_accuracy)} on the validation part"
            note(f"wrote {run.path(MODEL)}{best}; see {run.path(REPORT)}")
        return result.finished


def _about(run: Run) -> str:
    settings, parts = run.settings, run.parts
    validation = "no validation" if parts.validation is None else f"{len(parts.validation)} to validate"
    drawn = " (drawn from the training part)" if parts.drawn else ""
    network = f"width {settings.width}, input {settings.input_size} x {settings.input_size}, variant {settings.variant}"
    images = f"{len(parts.train)} images to train, {validation}{drawn}, {len(parts.train.attributes)} attributes"
    return f"{images}; {network}; {settings.epochs} epochs"

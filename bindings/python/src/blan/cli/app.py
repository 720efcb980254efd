"""The commands gathered, and how their failures end the program."""

from __future__ import annotations

import sys

import typer

from .. import __name__ as package
from ..errors import BlanError
from ..system import system
from . import (
    calibrate,
    encoder,
    evaluate,
    experiment,
    explain,
    export,
    find,
    index,
    info,
    init,
    predict,
    quantize,
    score,
    serve,
    train,
    video,
)
from .console import fail, note

app = typer.Typer(
    name=package,
    help="Forty attributes of a face photo, on a CPU (BLAN).",
    epilog="Example: blan predict face.jpg --html page.html --table. Options of a command: blan predict --help.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"blan {system().version}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the command."""


app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("video", epilog=video.EXAMPLES)(video.video)
app.command("train", epilog=train.TRAIN_EXAMPLES)(train.train)
app.command("finetune", epilog=train.FINETUNE_EXAMPLES)(train.finetune)
app.command("experiment", epilog=experiment.EXAMPLES)(experiment.experiment)
app.command("info")(info.info)
app.command("init")(init.init)
app.command("import-encoder")(encoder.import_encoder)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.command("index", epilog=index.EXAMPLES)(index.index)
app.command("find", epilog=find.EXAMPLES)(find.find)
app.command("score", epilog=score.EXAMPLES)(score.score)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("quantize", epilog=quantize.EXAMPLES)(quantize.quantize)
app.command("calibrate", epilog=calibrate.EXAMPLES)(calibrate.calibrate)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)


def main() -> None:
    """Runs the command line of this process and exits with its status."""
    try:
        app(standalone_mode=True)
    except BlanError as error:
        fail(error)
        sys.exit(1)
    except KeyboardInterrupt:
        note("interrupted")
        sys.exit(130)

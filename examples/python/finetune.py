"""Fine-tunes a model on a small set of your own photos.

    pip install ./bindings/python
    python examples/python/finetune.py photos.csv --out my-model [--attributes Smiling,Scarf]

The CSV file has a `path` column (relative to its folder) and a column for each attribute: 1 present, 0 absent, blank
unknown; perhaps also `split`: train, validation or test. Attributes that the model knows keep what it learned of them,
others are new.
"""

import argparse
import sys

import blan


def main() -> int:
    """Runs the example; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fine-tunes a model on your own photos.")
    parser.add_argument("data", help="CSV file, or a folder with one")
    parser.add_argument("--out", required=True, help="folder for checkpoints, logs and model.safetensors")
    parser.add_argument("--model", help="what to start from; without it, the model that comes with blan")
    parser.add_argument("--attributes", help="those to learn, comma-separated; without it, all of the data")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--freeze-encoder", action="store_true", help="leave the encoder as it is: faster, learns less")
    arguments = parser.parse_args()

    def show(progress: blan.Progress) -> None:
        if progress.event == "epoch":
            accuracy, best = 100 * progress.validation_accuracy, 100 * progress.best_accuracy
            print(f"epoch {progress.epoch} of {progress.epochs}: accuracy {accuracy:.1f} % (best {best:.1f} %)")

    try:
        model, history = blan.finetune(
            arguments.model,
            arguments.data,
            arguments.attributes.split(",") if arguments.attributes else None,
            out=arguments.out,
            on_progress=show,
            epochs=arguments.epochs,
            augment="light",
            freeze="encoder" if arguments.freeze_encoder else (),
        )
    except blan.BlanError as error:
        print(error, file=sys.stderr)
        return 1
    with model:
        print(f"{model.path} predicts {', '.join(model.names)}; best epoch {history.best_epoch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The settings of a run in a folder: what `blan train` takes from its flags and from a TOML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidArgumentError


def _setting(
    group: str,
    text: str,
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
    decisive: bool = True,
) -> Any:
    """A field with what the command line and the TOML file need to know of it.

    Args:
        group: heading under which it stands.
        text: one sentence for --help.
        default: and by its type what it may be.
        low: smallest number.
        high: largest number.
        choices: for strings.
        flags: of the command line where they are not the name.
        decisive: whether it changes the weights that come out; a resumed run keeps such a setting.
    """
    metadata = {"group": group, "help": text, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=metadata | {"flags": flags, "decisive": decisive})


DATA, NETWORK, LOSS, OPTIMISER, AUGMENTATION, RUN = (
    "Data",
    "Network",
    "Loss and regularisation",
    "Optimiser",
    "Augmentation",
    "Run",
)


@dataclass(frozen=True)
class Settings:
    """Every setting of a run; "" and () stand for none. The text beside each is what --help says."""

    data: str = _setting(DATA, "Data set: a CelebA or LFWA folder, a CSV file, or a folder with one.", "")
    part: str = _setting(DATA, "Part of DATA to train on.", "train", choices=("train", "all"))
    validation: str = _setting(DATA, "Data set to validate on, instead of the validation part of DATA.", "")
    validation_share: float = _setting(
        DATA, "Share drawn for validation where DATA has no such part; 0 = no validation.", 0.1, low=0, high=0.9
    )
    limit: int = _setting(DATA, "Use at most the first N images of the training and of the validation part.", 0, low=0)
    attributes: tuple[str, ...] = _setting(DATA, "Attributes to learn, comma-separated; without it, all of DATA.", ())
    lfwa_protocol: str = _setting(
        DATA, "How LFWA is divided: half and half, or 80 % and twice 10 %.", "halves", choices=("halves", "eighty-ten")
    )
    skip_unreadable: bool = _setting(DATA, "Go on without images that cannot be read.", False)

    start: str = _setting(NETWORK, "Model to fine-tune; without it, a new network.", "")
    width: int = _setting(
        NETWORK, "Channels of the first level, a multiple of 4; 64 is the paper's.", 64, low=4, high=1024
    )
    input_size: int = _setting(
        NETWORK, "Side of the input in pixels, a multiple of 32 from 64.", 256, low=64, high=4096
    )
    variant: int = _setting(NETWORK, "Row of the paper's Table 4; 6 is the full BLAN.", 6, low=1, high=6)
    attention: str = _setting(
        NETWORK,
        "Order of channel and spatial attention.",
        "channel-spatial",
        choices=("channel-spatial", "spatial-channel", "parallel"),
    )
    encoder: str = _setting(NETWORK, "ResNet-34 state dict for a new network's encoder (width 64).", "")
    freeze: tuple[str, ...] = _setting(NETWORK, "Prefixes of tensors that stay as they are, such as encoder.", ())

    alpha: float = _setting(LOSS, "Weight of the mutual information loss (LMIM).", 0.1, low=0)
    beta: float = _setting(LOSS, "Weight of the reconstruction loss.", 0.1, low=0)
    gamma: float = _setting(LOSS, "Weight of the score fusion loss.", 1.0, low=0)
    dropout: float = _setting(LOSS, "Share of each embedding that is dropped.", 0.5, low=0, high=0.99)
    label_smoothing: float = _setting(LOSS, "Share of a label that goes to its opposite.", 0.0, low=0, high=0.49)
    balanced: bool = _setting(LOSS, "Weigh present labels of rare attributes up, common ones down.", False)

    epochs: int = _setting(OPTIMISER, "Passes over the training images.", 14, low=1, high=1_000_000)
    batch: int = _setting(OPTIMISER, "Images of a step, in all processes.", 64, low=1, high=65_536)
    accumulate: int = _setting(OPTIMISER, "Batches whose gradients make one update.", 1, low=1, high=65_536)
    learning_rate: float = _setting(OPTIMISER, "Adam's.", 1e-3, low=0, flags=("--lr", "--learning-rate"))
    fusion_learning_rate: float = _setting(
        OPTIMISER, "SGD's, for the score fusion.", 1e-4, low=0, flags=("--fusion-lr", "--fusion-learning-rate")
    )
    schedule: str = _setting(
        OPTIMISER, "How the learning rates fall.", "linear", choices=("linear", "cosine", "constant")
    )
    final_rate: float = _setting(OPTIMISER, "Learning rate at the end, as a share of the first.", 0.1, low=0, high=1)
    warmup_steps: int = _setting(OPTIMISER, "Steps over which the rates rise from 0.", 0, low=0, high=2**31 - 1)
    weight_decay: float = _setting(OPTIMISER, "AdamW's; 0 = Adam.", 0.0, low=0)
    clip_norm: float = _setting(OPTIMISER, "Largest norm of the gradient; 0 = no limit.", 0.0, low=0)
    average_decay: float = _setting(
        OPTIMISER,
        "Of the moving average of weights that is validated and exported; 0 = none.",
        0.0,
        low=0,
        high=0.99999,
    )
    statistics: str = _setting(
        OPTIMISER,
        "Batch norm statistics; automatic freezes them for fine-tuning with fewer than 16 images a batch.",
        "automatic",
        choices=("automatic", "batch", "frozen"),
    )
    synchronised_batch_norm: bool = _setting(
        OPTIMISER, "Under mpirun, batch norm over all processes' images together, not over each one's own.", True
    )
    patience: int = _setting(
        OPTIMISER, "Epochs without a better validation after which to stop; 0 = never.", 0, low=0, high=2**31 - 1
    )

    mirror: bool = _setting(AUGMENTATION, "Mirror images at random.", True)
    shift: float = _setting(AUGMENTATION, "Greatest move, as a share of the side.", 0.0, low=0, high=0.5)
    zoom: float = _setting(AUGMENTATION, "Scale between 1 / (1 + zoom) and 1 + zoom.", 0.0, low=0, high=1)
    rotation: float = _setting(AUGMENTATION, "Greatest turn in degrees.", 0.0, low=0, high=180)
    brightness: float = _setting(AUGMENTATION, "Factor between 1 - x and 1 + x.", 0.0, low=0, high=1)
    contrast: float = _setting(AUGMENTATION, "Factor between 1 - x and 1 + x.", 0.0, low=0, high=1)
    saturation: float = _setting(AUGMENTATION, "Factor between 1 - x and 1 + x.", 0.0, low=0, high=1)
    cutout: float = _setting(AUGMENTATION, "Side of a blanked square, as a share of the side.", 0.0, low=0, high=1)

    seed: int = _setting(RUN, "Of new weights, dropout, order and augmentation.", 0, low=0, high=2**64 - 1)
    threads: int = _setting(RUN, "Threads to work on; 0 = all cores.", 0, low=0, high=1024, decisive=False)
    workers: int = _setting(RUN, "Threads that read images; 0 = as many as cores.", 0, low=0, high=1024, decisive=False)
    cache_mb: int = _setting(RUN, "Memory for decoded images in MB.", 2048, low=0, high=2**44 - 1, decisive=False)
    checkpoint_steps: int = _setting(
        RUN, "Batches between saves of last.safetensors; 0 = once an epoch.", 0, low=0, high=2**63 - 1, decisive=False
    )
    storage: str = _setting(
        RUN, "Numbers of the exported model's weights.", "f32", choices=("f32", "f16", "bf16"), decisive=False
    )
    tensorboard: bool = _setting(
        RUN, "Also log for TensorBoard (pip install blan[tensorboard]).", False, decisive=False
    )

    def __post_init__(self) -> None:
        for name, option in FIELDS.items():
            _check(name, getattr(self, name), option.metadata)

    def trainer_options(self) -> dict[str, Any]:
        """Keywords of `Trainer`, but for the attributes and their weights, which need the data."""
        same = (
            "width input_size variant attention threads seed alpha beta gamma dropout label_smoothing learning_rate "
            "fusion_learning_rate weight_decay clip_norm average_decay schedule final_rate warmup_steps accumulate "
            "freeze statistics synchronised_batch_norm"
        )
        return self._named(same) | {"start": self.start or None, "encoder": self.encoder or None}

    def fit_options(self) -> dict[str, Any]:
        """Keywords of `Trainer.fit`, but for those that belong to the folder."""
        same = (
            "epochs batch mirror shift zoom rotation brightness contrast saturation cutout workers skip_unreadable "
            "checkpoint_steps patience"
        )
        return self._named(same) | {"cache_bytes": self.cache_mb << 20}

    def _named(self, names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names.split()}


FIELDS: dict[str, dataclasses.Field] = {option.name: option for option in dataclasses.fields(Settings)}
"""Every setting by its name."""

FINETUNING: dict[str, Any] = {"epochs": 10, "batch": 8, "learning_rate": 2e-4, "patience": 3}
"""Defaults of fine-tuning that differ: few images, and batch norm keeps its statistics at such batches."""

AUGMENTATIONS: dict[str, dict[str, float]] = {
    "none": dict.fromkeys(("shift", "zoom", "rotation", "brightness", "contrast", "saturation", "cutout"), 0.0),
    "light": {
        "shift": 0.04,
        "zoom": 0.08,
        "rotation": 8.0,
        "brightness": 0.15,
        "contrast": 0.15,
        "saturation": 0.15,
        "cutout": 0.0,
    },
    "strong": {
        "shift": 0.08,
        "zoom": 0.15,
        "rotation": 15.0,
        "brightness": 0.3,
        "contrast": 0.3,
        "saturation": 0.3,
        "cutout": 0.25,
    },
}
"""What `augment` stands for."""


def resolve(*layers: Mapping[str, Any]) -> Settings:
    """The settings from several sources, later ones winning over earlier ones and all over the defaults.

    Raises:
        InvalidArgumentError: what `merged` raises, or a value out of range.
    """
    values = merged(*layers)
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise InvalidArgumentError(f"no setting is called {', '.join(unknown)}; they are {', '.join(FIELDS)}")
    return Settings(**values)


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that several sources give, later ones winning.

    Two more names stand for several settings each, which the same source can still give alone: ``os``, the paper's
    overfitting suppression (dropout 0.5, mirroring and an ImageNet encoder, or none of them), and ``augment``, a key
    of `AUGMENTATIONS`.

    Raises:
        InvalidArgumentError: ``augment`` is unknown, or ``os`` lacks an encoder.
    """
    values: dict[str, Any] = {}
    suppression = None
    for layer in layers:
        suppression = layer.get("os", suppression)
        values |= _expanded(layer)
    if suppression and not values.get("encoder"):
        raise InvalidArgumentError(
            "overfitting suppression (os) includes an ImageNet ResNet-34: name its file with encoder, or set dropout "
            "and mirror alone"
        )
    return values


def _expanded(layer: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in layer.items() if name not in ("os", "augment")}
    implied: dict[str, Any] = {}
    if "augment" in layer:
        if layer["augment"] not in AUGMENTATIONS:
            raise InvalidArgumentError(f"augment is {layer['augment']!r}; expected one of {', '.join(AUGMENTATIONS)}")
        implied |= AUGMENTATIONS[layer["augment"]]
    if "os" in layer:
        implied |= {"dropout": 0.5, "mirror": True} if layer["os"] else {"dropout": 0.0, "mirror": False, "encoder": ""}
    return implied | own


def _check(name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    if metadata["choices"] and value not in metadata["choices"]:
        raise InvalidArgumentError(f"{name} is {value!r}; expected one of {', '.join(metadata['choices'])}")
    low, high = metadata["low"], metadata["high"]
    if low is not None and not value >= low:
        raise InvalidArgumentError(f"{name} is {value}; expected {low} or more")
    if high is not None and not value <= high:
        raise InvalidArgumentError(f"{name} is {value}; expected at most {high}")

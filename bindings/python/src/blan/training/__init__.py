"""Training a network: one step at a time, over epochs, or in a folder that keeps everything about the run."""

from .data import balanced_weights
from .finetuning import FineTuned, finetune
from .processes import Processes
from .progress import History, Losses, Progress
from .run import Result, Run
from .settings import Settings, resolve
from .trainer import Trainer

__all__ = [
    "FineTuned",
    "History",
    "Losses",
    "Processes",
    "Progress",
    "Result",
    "Run",
    "Settings",
    "Trainer",
    "balanced_weights",
    "finetune",
    "resolve",
]

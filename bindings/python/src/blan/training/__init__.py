"""Training a network: one step at a time, over epochs, or in a folder that keeps everything about the run."""

from .progress import History, Losses, Progress
from .trainer import Trainer

__all__ = ["History", "Losses", "Progress", "Trainer"]

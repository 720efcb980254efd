"""Evaluation of a model on labelled images, and calibration of its probabilities."""

from .calibration import Calibration, Objective, calibrate
from .groups import Gap, Group, GroupRates, Interval
from .result import Evaluation, Figures, Levels, Unreadable

__all__ = [
    "Calibration",
    "Evaluation",
    "Figures",
    "Gap",
    "Group",
    "GroupRates",
    "Interval",
    "Levels",
    "Objective",
    "Unreadable",
    "calibrate",
]

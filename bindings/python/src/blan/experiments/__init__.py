"""The paper's experiments at any width, size and number of epochs, beside its own figures."""

from .protocol import NAMES, Cell, Plan
from .runner import Experiment
from .table import Table

__all__ = ["NAMES", "Cell", "Experiment", "Plan", "Table"]

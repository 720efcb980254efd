"""The command line: predict, video, explain, train, finetune, evaluate, calibrate, serve, index, find, export and more.

Data goes to stdout, messages to stderr. Exit status: 0 all well, 1 something failed, 2 wrong usage, 130 interrupted.
"""

from .app import main

__all__ = ["main"]

"""The command line: predict, train, finetune, evaluate, calibrate, experiment, serve, info, init and import-encoder.
"""The command line: predict, video, train, finetune, evaluate, calibrate, experiment, info, init and import-encoder.

Data goes to stdout, messages to stderr. Exit status: 0 all well, 1 something failed, 2 wrong usage, 130 interrupted.
"""

from .app import main

__all__ = ["main"]

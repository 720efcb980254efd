"""The command line: `blan predict`, `info`, `init`, `import-encoder`, `evaluate`, `calibrate`.

Data goes to stdout, messages to stderr. Exit status: 0 all well, 1 something failed, 2 wrong usage, 130 interrupted.
"""

from .app import main

__all__ = ["main"]

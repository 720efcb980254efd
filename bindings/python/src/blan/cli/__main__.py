"""Runs the command line as ``python -m blan.cli``."""

from .app import main

main()

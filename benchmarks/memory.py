"""Loads the network in fresh processes of libblan and its peers: how long that takes, and how much memory.

    benchmarks/run.sh memory [--width 64] [--size 256] [--batch 1] [--threads 2] [--repeats 5]
                             [--peers libblan,onnxruntime]

Every peer starts anew for each round, in turns, from the file that it reads (converted before); its process loads the
network and predicts three times. Memory is the most that the process ever held, Python and numpy included.
"""

from __future__ import annotations

import statistics
import sys

from inference import describe, parse_for, task_of
from network import pixels_for
from worker import Skipped, Worker

PEERS = ("libblan", "onnxruntime", "openvino", "ncnn", "mnn")
PREDICTIONS = 3


def main() -> int:
    """Prints the table; returns 1 when libblan did not run."""
    arguments = parse_for(__doc__, "benchmarks/run.sh memory", PEERS, batch=1, repeats=(5, "processes of each peer"))
    task = task_of(arguments)
    pixels = pixels_for(task.shape)
    figures: dict[str, list[tuple[float, float]]] = {}
    skipped: dict[str, str] = {}
    for name in arguments.peers:
        try:
            Worker(name, task).close()  # converts the network where that has not been done
            figures[name] = []
        except Skipped as reason:
            skipped[name] = str(reason)
    for round_number in range(arguments.repeats):
        print(f"\rround {round_number + 1} of {arguments.repeats}", end="", file=sys.stderr, flush=True)
        for name, measured in figures.items():
            worker = Worker(name, task)
            for _ in range(PREDICTIONS):
                worker.predict(pixels)
            measured.append((worker.load_seconds, worker.memory()))
            worker.close()
    print(file=sys.stderr)
    conditions = describe(arguments)
    print(
        f"{conditions['cpu']}, {conditions['cores']} cores; width {arguments.width}, {arguments.size}x{arguments.size}"
    )
    print(f"batch {arguments.batch}, threads: {arguments.threads}, {arguments.repeats} processes of each peer\n")
    print(f"{'peer':14} {'load, median ms':>16} {'least':>8} {'peak memory, MB':>16}")
    for name, measured in figures.items():
        loads, memory = zip(*measured, strict=True)
        print(f"{name:14} {statistics.median(loads) * 1e3:16.0f} {min(loads) * 1e3:8.0f} {max(memory):16.0f}")
    for name, reason in skipped.items():
        print(f"{name:14} skipped: {reason}")
    return 0 if figures.get("libblan") or "libblan" not in arguments.peers else 1


if __name__ == "__main__":
    sys.exit(main())

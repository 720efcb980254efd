"""How fast several processes train, and what they say to each other.

    python benchmarks/processes.py                    # one process
    mpirun -n 2 python benchmarks/processes.py        # two; the batch is that of both together

Prints one line: images a second, seconds a step, and of each step the sums: how many, how many bytes, and the seconds
that the library's communication thread spends in them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
from blan import Trainer
from blan.training.processes import Processes, world


class Measured:
    """Processes that note what is summed."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.rank, self.size = processes.rank, processes.size
        self.clear()

    def clear(self) -> None:
        """Begins to count anew."""
        self.sums, self.bytes, self.seconds = 0, 0, 0.0

    def sum(self, values: np.ndarray) -> None:
        """Sums and notes it."""
        started = time.perf_counter()
        self._processes.sum(values)
        self.seconds += time.perf_counter() - started
        self.sums, self.bytes = self.sums + 1, self.bytes + values.nbytes

    def gather(self, value: Any) -> list[Any]:
        """What every process gave."""
        return self._processes.gather(value)


def main() -> None:
    """Trains on noise and prints the line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--input-size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32, help="of all processes")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--local", action="store_true", help="batch norm of each process alone")
    given = parser.parse_args()
    mpi = world()
    processes = None if mpi is None else Measured(mpi)
    rank, size = (0, 1) if processes is None else (processes.rank, processes.size)
    trainer = Trainer(
        width=given.width,
        input_size=given.input_size,
        threads=given.threads,
        comm=processes,
        synchronised_batch_norm=not given.local,
    )
    begin, end = given.batch * rank // size, given.batch * (rank + 1) // size
    random = np.random.default_rng(1)
    pixels = random.standard_normal((given.batch, 3, given.input_size, given.input_size), dtype=np.float32)[begin:end]
    labels = random.choice([-1, 1], (given.batch, len(trainer.names)))[begin:end]
    trainer.step(pixels, labels)
    if processes is not None:
        processes.clear()
    seconds = []
    for _ in range(given.steps):
        started = time.perf_counter()
        trainer.step(pixels, labels)
        seconds.append(time.perf_counter() - started)
    if rank > 0:
        return
    step = statistics.median(seconds)
    text = f"{size} processes of {given.threads} threads: {given.batch / step:.1f} images/s, {step:.3f} s a step"
    if processes is not None:
        sums, volume, spent = processes.sums, processes.bytes, processes.seconds
        text += (
            f"; {sums / given.steps:.0f} sums, {volume / given.steps / 1e6:.2f} MB, {spent / given.steps:.3f} s in them"
        )
    print(text)


if __name__ == "__main__":
    main()

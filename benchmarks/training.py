"""Times a training step of libblan beside PyTorch's: same network, start, batch and thread count, and their memory.

    benchmarks/run.sh training [--width 64] [--size 256] [--batch 8] [--threads 2] [--repeats 5]
                               [--peers libblan,torch,torch-channels-last] [--json out.json]

A step is the forward pass with all heads, every loss of Eq. 8, the backward pass, and the update by Adam and SGD.
Every peer lives in a process of its own and waits while another works; in each round each has one turn, in an order
that changes. All start from the same weights and leave dropout off, so that their first losses must agree. PyTorch's
network is Tests/Fixtures/blan_torch, whose discriminators are written as in the paper: libblan computes the features'
half of their first layer once for real and fake pairs, which PyTorch does not.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from inference import PAUSE, REPOSITORY, describe, parse_for
from network import SEED, pixels_for

PEERS = ("libblan", "torch", "torch-channels-last")
TOLERANCE = 1e-3
"""Relative difference of a first loss from libblan's beyond which a peer does not train the same network."""
STEPS = 1000
"""Length of the learning rates' decline."""


def main() -> int:
    """Runs the benchmark; returns the exit status: 1 when first losses disagree."""
    arguments = parse_for(
        __doc__, "benchmarks/run.sh training", PEERS, batch=8, repeats=(5, "rounds; each peer makes one step a round")
    )
    folder = REPOSITORY / "build" / "benchmark" / f"training-width{arguments.width}-size{arguments.size}"
    folder.mkdir(parents=True, exist_ok=True)
    model = start_weights(folder, arguments.width, arguments.size)
    pixels = pixels_for((arguments.batch, 3, arguments.size, arguments.size))
    labels = np.random.default_rng(SEED).choice(np.array([-1, 1], dtype=np.int8), (arguments.batch, 40))

    conditions = describe(arguments)
    print(f"{conditions['cpu']}, {conditions['cores']} cores; {conditions['system']}")
    print(
        f"a training step of BLAN, width {arguments.width}, {arguments.size}x{arguments.size}, "
        f"batch {arguments.batch}, f32, {arguments.threads} threads, {arguments.repeats} rounds\n",
        flush=True,
    )
    workers = {name: Worker(name, model, arguments.threads, pixels, labels) for name in arguments.peers}
    first = {name: worker.step()[0] for name, worker in workers.items()}
    times: dict[str, list[float]] = {name: [] for name in workers}
    cpu_times: dict[str, list[float]] = {name: [] for name in workers}
    random = np.random.default_rng(0)
    for round_number in range(arguments.repeats):
        print(f"\rround {round_number + 1} of {arguments.repeats}", end="", file=sys.stderr, flush=True)
        for name in random.permutation(list(workers)):
            time.sleep(PAUSE)
            _, seconds, cpu_seconds = workers[name].step()
            times[name].append(seconds)
            cpu_times[name].append(cpu_seconds)
    print(file=sys.stderr)
    results = {
        name: {
            "median_s": float(np.median(times[name])),
            "min_s": min(times[name]),
            "max_s": max(times[name]),
            "cpu_s": float(np.median(cpu_times[name])),
            "peak_mb": workers[name].close(),
            "first_loss": first[name],
        }
        for name in workers
    }
    conditions["load_after"] = os.getloadavg()
    print_results(results)
    print(f"\nload of the machine before and after: {conditions['load_before'][0]:.2f}, {os.getloadavg()[0]:.2f}")
    if arguments.json:
        content = {"conditions": conditions, "results": results, "seconds": times}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    reference = next(iter(first.values()))
    return int(any(abs(loss / reference - 1) > TOLERANCE for loss in first.values()))


def start_weights(folder: Path, width: int, size: int) -> Path:
    """A new network with all heads, by libblan's own seeded initialisation, once."""
    import blan

    path = folder / "start.safetensors"
    if not path.exists():
        blan.init(path, width=width, input_size=size, seed=SEED)
    return path


def print_results(results: dict[str, dict]) -> None:
    """The table, with ratios to libblan."""
    base = results.get("libblan")
    print(
        f"{'peer':20}  {'median s':>9}  {'from':>7}  {'to':>7}  {'CPU s':>7}  {'/ libblan':>9}  {'peak MB':>8}"
        f"  {'/ libblan':>9}  {'first loss':>11}"
    )
    for name, result in results.items():
        ratios = [f"{result[key] / base[key]:9.2f}" if base else f"{'':9}" for key in ("median_s", "peak_mb")]
        print(
            f"{name:20}  {result['median_s']:9.3f}  {result['min_s']:7.3f}  {result['max_s']:7.3f}"
            f"  {result['cpu_s']:7.2f}  {ratios[0]}  {result['peak_mb']:8.0f}  {ratios[1]}"
            f"  {result['first_loss']:11.4f}"
        )


class Worker:
    """A peer in a process of its own."""

    def __init__(self, name: str, model: Path, threads: int, pixels: np.ndarray, labels: np.ndarray) -> None:
        print(f"loading {name}", file=sys.stderr)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, model, threads, pixels, labels), daemon=True)
        self._process.start()
        theirs.close()

    def step(self) -> tuple[float, float, float]:
        """One step: the loss, seconds passed, and of all threads' CPU time."""
        self._pipe.send("step")
        return self._pipe.recv()

    def close(self) -> float:
        """Ends the process; its peak memory in MB."""
        self._pipe.send("close")
        peak = self._pipe.recv()
        self._process.join(timeout=10)
        return peak


def _serve(pipe: Connection, name: str, model: Path, threads: int, pixels: np.ndarray, labels: np.ndarray) -> None:
    """The process of a peer."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    make = _libblan if name == "libblan" else _pytorch
    step = make(name, model, threads, pixels, labels)
    while pipe.recv() == "step":
        started, cpu_started = time.perf_counter(), time.process_time()
        loss = step()
        pipe.send((loss, time.perf_counter() - started, time.process_time() - cpu_started))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _libblan(name: str, model: Path, threads: int, pixels: np.ndarray, labels: np.ndarray):
    import blan

    trainer = blan.Trainer(model, threads=threads, dropout=0, statistics="batch", total_steps=STEPS)
    return lambda: trainer.step(pixels, labels).total


def _pytorch(name: str, model: Path, threads: int, pixels: np.ndarray, labels: np.ndarray):
    import torch
    from blan_torch import Optimisation, load_model, losses

    torch.set_num_threads(threads)
    network = load_model(model, dropout=0).train()
    images = torch.from_numpy(pixels)
    if name == "torch-channels-last":
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimisation = Optimisation(network, STEPS)
    known = torch.from_numpy(labels)

    def step() -> float:
        terms = losses(network, network.outputs(images), images, known)
        optimisation.step(terms["total"])
        return terms["total"].item()

    return step


if __name__ == "__main__":
    sys.exit(main())

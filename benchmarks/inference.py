"""Times libblan beside PyTorch, ONNX Runtime, OpenVINO, ncnn and MNN: same network, weights, input and thread count.

    benchmarks/run.sh [--width 64] [--size 256] [--batch 1] [--threads 2] [--repeats 30] [--peers libblan,onnxruntime]
                      [--json out.json]

Every peer lives in a process of its own and waits while another is timed. In each round every peer has one turn, in
an order that changes from round to round; a turn is one call that is not timed and three that are. So a disturbance
from outside falls on all alike, and each is measured warm, as in a loop over photos. A peer that cannot be installed,
converted or run is reported as skipped, with the reason. What peers print is in build/benchmark/.../PEER.log.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
from network import expected, pixels_for, prepare
from peers import PEERS, Task
from worker import Skipped, Worker

REPOSITORY = Path(__file__).resolve().parents[1]
CALLS = 3
"""Timed calls of a turn."""
PAUSE = 0.25
"""Seconds between turns: OpenMP runtimes go on spinning for up to 0.2 s after a call."""
TOLERANCE = 1e-3
"""Difference of a probability from the reference beyond which a peer no longer computes the same function."""


def main() -> int:
    """Runs the benchmark; returns the exit status: 1 when libblan's outputs are wrong or missing."""
    arguments = parse()
    task = task_of(arguments)
    pixels = pixels_for(task.shape)
    reference = expected(task.model, pixels)

    conditions = describe(arguments)
    print_conditions(conditions, reference)
    workers, errors, skipped = start(arguments.peers, task, pixels, reference)
    times = measure(workers, pixels, arguments.repeats)
    conditions["load_after"] = os.getloadavg()
    results = {name: summary(times[name], errors[name], workers[name].version) for name in times}
    for worker in workers.values():
        worker.close()
    print_results(results, skipped, arguments.batch)
    print(
        f"\nload of the machine before and after: {conditions['load_before'][0]:.2f}, {conditions['load_after'][0]:.2f}"
    )
    if arguments.json:
        content = {"conditions": conditions, "results": results, "skipped": skipped, "seconds": times}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    inexact = [name for name, result in results.items() if not result["max_error"] <= TOLERANCE]
    if inexact:
        print(f"further than {TOLERANCE:g} from the reference, less exact than 32-bit floats are: {', '.join(inexact)}")
        print("untrained weights multiply rounding errors from layer to layer: of trained ones see docs/performance.md")
    return 1 if "libblan" in arguments.peers and ("libblan" not in results or "libblan" in inexact) else 0


def parse() -> argparse.Namespace:
    """The command line."""
    help_of_repeats = f"rounds; each peer is timed {CALLS} times a round"
    return parse_for(__doc__, "benchmarks/run.sh", tuple(PEERS), batch=1, repeats=(30, help_of_repeats))


def parse_for(
    doc: str, program: str, peers: tuple[str, ...], batch: int, repeats: tuple[int, str]
) -> argparse.Namespace:
    """The command line of a benchmark that runs `peers` in turns."""
    parser = argparse.ArgumentParser(prog=program, description=doc.splitlines()[0])
    parser.add_argument("--width", type=int, default=64, help="channels of the first level; 64 is the paper's")
    parser.add_argument("--size", type=int, default=256, help="height and width of the input")
    parser.add_argument("--batch", type=int, default=batch, help="images at a time")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of each peer")
    parser.add_argument("--repeats", type=int, default=repeats[0], help=repeats[1])
    parser.add_argument(
        "--peers", type=lambda text: text.split(","), default=list(peers), help=f"some of {','.join(peers)}"
    )
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.peers) - set(peers))
    if unknown:
        parser.error(f"unknown peers: {', '.join(unknown)}; there are {', '.join(peers)}")
    return arguments


def task_of(arguments: argparse.Namespace) -> Task:
    """What the peers are to run, its network made and its folder there."""
    folder = REPOSITORY / "build" / "benchmark" / f"width{arguments.width}-size{arguments.size}"
    folder.mkdir(parents=True, exist_ok=True)
    model = prepare(folder, arguments.width, arguments.size)
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    task = Task(model, folder / f"batch{arguments.batch}", shape, arguments.threads)
    task.folder.mkdir(exist_ok=True)
    return task


def describe(arguments: argparse.Namespace) -> dict[str, object]:
    """What the figures depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = [line.split(":", 1) for line in file if ":" in line]
    facts = {key.strip(): value.strip() for key, value in lines}
    return {
        "cpu": f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})",
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "width": arguments.width,
        "size": arguments.size,
        "batch": arguments.batch,
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "load_before": os.getloadavg(),
    }


def start(
    names: list[str], task: Task, pixels: np.ndarray, reference: np.ndarray
) -> tuple[dict[str, Worker], dict[str, float], dict[str, str]]:
    """Starts the peers one after another and checks their outputs: workers, errors, and why others are skipped."""
    workers: dict[str, Worker] = {}
    errors: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for name in names:
        print(f"loading {name}", file=sys.stderr)
        try:
            worker = Worker(name, task)
            out = worker.predict(pixels)
            if out.shape != reference.shape:
                raise Skipped(f"its output has shape {out.shape}; expected {reference.shape}")
            workers[name], errors[name] = worker, float(np.abs(out - reference).max())
        except Skipped as reason:
            skipped[name] = str(reason)
    return workers, errors, skipped


def measure(workers: dict[str, Worker], pixels: np.ndarray, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Every timed call of each peer: seconds passed, and of CPU time."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in workers}
    random = np.random.default_rng(0)
    for round_number in range(repeats):
        print(f"\rround {round_number + 1} of {repeats}", end="", file=sys.stderr, flush=True)
        for name in random.permutation(list(workers)):
            time.sleep(PAUSE)
            times[name] += workers[name].time(pixels, CALLS)
    print(file=sys.stderr)
    return times


def summary(times: list[tuple[float, float]], error: float, version: str) -> dict[str, object]:
    """The figures of one peer, in milliseconds."""
    seconds, cpu_seconds = np.array(times).T
    p10, median, p90 = 1000 * np.percentile(seconds, [10, 50, 90])
    return {
        "version": version,
        "median_ms": median,
        "p10_ms": p10,
        "p90_ms": p90,
        "min_ms": 1000 * seconds.min(),
        "cpu_ms": 1000 * np.median(cpu_seconds),
        "calls": len(times),
        "max_error": error,
    }


def print_conditions(conditions: dict[str, object], reference: np.ndarray) -> None:
    """The head of the report."""
    print(f"{conditions['cpu']}, {conditions['cores']} cores; {conditions['system']}")
    print(
        f"BLAN, width {conditions['width']}, {conditions['size']}x{conditions['size']}, batch {conditions['batch']}, "
        f"f32, threads: {conditions['threads']}, {conditions['repeats']} rounds of {CALLS} calls"
    )
    print(
        f"probabilities of the reference (PyTorch, f64): {reference.min():.3f} to {reference.max():.3f}\n", flush=True
    )


def print_results(results: dict[str, dict], skipped: dict[str, str], batch: int) -> None:
    """The table: times of a call, and how each compares with libblan."""
    base = results.get("libblan")
    width = max(map(len, [*results, *skipped, "peer"]))
    print(
        f"{'peer':{width}}  {'version':16}  {'median':>8}  {'10th to 90th':>17}  {'minimum':>8}"
        f"  {'ms/image':>8}  {'CPU':>8}  {'/ libblan':>9}  {'of minima':>9}  {'max error':>9}"
    )
    for name, result in results.items():
        ratios = "".join(
            f"  {result[key] / base[key]:9.2f}" if base else f"  {'':9}" for key in ("median_ms", "min_ms")
        )
        print(
            f"{name:{width}}  {result['version']:16.16}  {result['median_ms']:8.2f}"
            f"  {result['p10_ms']:7.2f} to {result['p90_ms']:6.2f}  {result['min_ms']:8.2f}"
            f"  {result['median_ms'] / batch:8.2f}  {result['cpu_ms']:8.2f}{ratios}  {result['max_error']:9.1e}"
        )
    for name, reason in skipped.items():
        print(f"{name:{width}}  skipped: {reason}")


if __name__ == "__main__":
    sys.exit(main())

"""Time of every kind of layer beside what the machine allows: a roofline table.

    benchmarks/run.sh roofline [--threads 2] [--batch 1] [--width 64] [--size 256] [--repeats 25]

For each layer, all its occurrences added up: its time; the time that its multiplications would take at the measured
peak (of Winograd's F(4x4, 3x3) a quarter of the direct convolution's, of stride 2 81 / 144, of F(2x2, 3x3) 1 / 2.25,
of F(3x3, 4x4), the stem's, 48 / 147); the time that its maps and weights would take at the measured rate of reading
memory; and which of the two binds. Transforms count as nothing. Maps stay in the caches at batch 1: only weights need
come from memory.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import blan
from network import prepare

REPOSITORY = Path(__file__).resolve().parents[1]
SAVINGS = {"F(4x4) of stride 2": 144 / 81, "F(4x4)": 4.0, "F(2x2)": 2.25, "F(3x3, 4x4)": 147 / 48}


def main() -> None:
    """Prints the table."""
    arguments = parse()
    command = [REPOSITORY / "benchmarks" / "kernels" / "run.sh", "peak", str(arguments.threads)]
    peak, memory = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    folder = REPOSITORY / "build" / "benchmark" / f"width{arguments.width}-size{arguments.size}"
    folder.mkdir(parents=True, exist_ok=True)
    model = blan.load(prepare(folder, arguments.width, arguments.size), threads=arguments.threads)
    print(
        f"{arguments.threads} threads, batch {arguments.batch}, {blan.system().instruction_set}: "
        f"{peak:.0f} GFLOP/s of multiply-adds, {memory:.1f} GB/s from memory\n"
    )
    print(f"{'layer':50} {'times':>5} {'ms':>7} {'compute':>8} {'memory':>7} {'reached':>8}  bound by")
    rows: dict[str, list[float]] = {}
    for step in model.profile(batch=arguments.batch, repeats=arguments.repeats):
        saving = next((factor for name, factor in SAVINGS.items() if name in step.kernel), 1.0)
        row = rows.setdefault(step.kernel, [0, 0, 0, 0])
        for place, value in enumerate(
            (1, step.seconds, step.operations / saving / peak / 1e9, step.bytes / memory / 1e9)
        ):
            row[place] += value
    for kernel, (times, seconds, compute, traffic) in sorted(rows.items(), key=lambda item: -item[1][1]):
        bound = "memory" if traffic > compute else "compute"
        print(
            f"{kernel:50} {times:5.0f} {seconds * 1e3:7.2f} {compute * 1e3:8.2f} {traffic * 1e3:7.2f} "
            f"{max(compute, traffic) / seconds:8.0%}  {bound}"
        )
    total = [sum(column) for column in zip(*rows.values(), strict=True)]
    print(f"{'all':50} {total[0]:5.0f} {total[1] * 1e3:7.2f} {total[2] * 1e3:8.2f} {total[3] * 1e3:7.2f}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time of every layer beside the peaks of arithmetic and memory.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1, help="1 to 8")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=25)
    return parser.parse_args()


if __name__ == "__main__":
    main()

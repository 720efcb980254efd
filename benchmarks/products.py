"""Times dense ways to LMIM's second layer: OpenBLAS' sgemm by numpy, and a level of Strassen's algorithm on it.

    benchmarks/run.sh products [locations]

The product is that of width 64, one of the three that forward and backward take: locations (8192 without an argument,
the real and the fake ones of an image at the first level) x 512 times 512 x 512. libblan leaves out zeros and uses
masks instead; `benchmarks/kernels/run.sh heads` times its whole layer. Of Strassen's algorithm only the sums of the
inputs and the seven products are timed, not the sums of the outputs; the weights' sums, which a step would make once,
are not counted. Threads are OPENBLAS_NUM_THREADS.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

CHANNELS = 512
REPEATS = 60
TERMS = ((0, 3, 1), (2, 3, 1), (0,), (3,), (0, 1, 1), (2, 0, -1), (1, 3, -1))
"""Quarters of the maps that meet in each of the seven products, and the second one's sign."""


def best(call: Callable[[], None]) -> float:
    """The shortest of many calls, in seconds."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> int:
    """Runs the benchmark; returns the exit status."""
    if "--help" in sys.argv:
        print(__doc__)
        return 0
    locations = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    random = np.random.default_rng(0)
    maps = random.random((locations, CHANNELS), dtype=np.float32)
    weights = random.random((CHANNELS, CHANNELS), dtype=np.float32)
    out = np.empty_like(maps)
    plain = best(lambda: np.matmul(maps, weights, out=out))

    rows, columns = locations // 2, CHANNELS // 2
    quarters = [np.ascontiguousarray(half) for rank in np.split(maps, 2) for half in np.split(rank, 2, axis=1)]
    b = [half for rank in np.split(weights, 2) for half in np.split(rank, 2, axis=1)]
    sums = [b[0] + b[3], b[0].copy(), b[1] - b[3], b[2] - b[0], b[3].copy(), b[0] + b[1], b[2] + b[3]]
    left = np.empty((rows, columns), np.float32)
    products = [np.empty((rows, columns), np.float32) for _ in sums]

    def strassen() -> None:
        for terms, right, product in zip(TERMS, sums, products, strict=True):
            factor = quarters[terms[0]]
            if len(terms) > 1:
                combine = np.add if terms[2] > 0 else np.subtract
                factor = combine(quarters[terms[0]], quarters[terms[1]], out=left)
            np.matmul(factor, right, out=product)

    seven = best(strassen)
    operations = 2 * locations * CHANNELS * CHANNELS
    print(f"{locations} x {CHANNELS} x {CHANNELS}, numpy {np.__version__}")
    print(f"sgemm     {plain * 1e3:8.2f} ms  {operations / plain / 1e9:6.0f} GFLOP/s")
    print(f"Strassen  {seven * 1e3:8.2f} ms  sums of the inputs and seven products")
    return 0


if __name__ == "__main__":
    sys.exit(main())

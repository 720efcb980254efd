"""Photos a second through `blan serve`, by the number of clients, with and without batching across requests.

It starts servers of its own on free ports of this machine; clients are threads of this process, so they share the
machine's cores with the server. The servers take turns, so that what else the machine does falls on all of them; the
table holds medians over the rounds. Needs the package's extra `serve`: .venv/bin/python benchmarks/serving.py
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

DATA = Path(__file__).resolve().parents[1] / "examples" / "data"
PHOTOS = {
    "whole photo": (DATA / "astronaut_full.jpg", "/predict"),
    "crop": (DATA / "astronaut.jpg", "/predict?aligned=true"),
}


class Server:
    """`blan serve` on a free port, while it is entered."""

    def __init__(self, options: list[str]) -> None:
        command = [sys.executable, "-m", "blan.cli", "serve", "--port", "0", "--rate", "0", *options]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = self._process.stderr.readline()
        match = re.search(r"at (http://\S+)", line)
        if match is None:
            raise SystemExit(f"the server did not start: {line}{self._process.stderr.read()}")
        self.url = match[1]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)


def counts(url: str) -> list[float]:
    """Faces predicted so far, calls of the network, and seconds of CPU time."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as response:
        text = response.read().decode()
    names = ("blan_batch_size_sum", "blan_batch_size_count", "process_cpu_seconds_total")
    return [float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]) for name in names]


def load(url: str, photo: Path, path: str, clients: int, seconds: float) -> tuple[list[float], float]:
    """Has clients ask again and again for some seconds; the duration of each request, and of all, in seconds.

    Raises:
        SystemExit: a request failed.
    """
    content, durations, failures = photo.read_bytes(), [], []
    begin = time.perf_counter()
    end = begin + seconds

    def ask() -> None:
        with closing(HTTPConnection(url.removeprefix("http://"), timeout=60)) as connection:
            while time.perf_counter() < end:
                started = time.perf_counter()
                connection.request("POST", path, content, {"Content-Type": "image/jpeg"})
                response = connection.getresponse()
                answer = response.read()
                durations.append(time.perf_counter() - started)
                if response.status != 200:
                    failures.append(f"{response.status}: {answer.decode()}")
                    return

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{len(failures)} clients were refused, the first with {failures[0]}")
    return durations, time.perf_counter() - begin


def measure(url: str, photo: Path, path: str, clients: int, seconds: float) -> tuple[float, ...]:
    """Photos a second, median and 90th percentile of the duration and CPU time a photo in ms, faces a network call."""
    before = counts(url)
    durations, elapsed = load(url, photo, path, clients, seconds)
    faces, calls, cpu = (new - old for new, old in zip(counts(url), before, strict=True))
    middle, late = 1000 * np.percentile(durations, (50, 90))
    return len(durations) / elapsed, middle, late, 1000 * cpu / len(durations), faces / calls


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="requests at a time, up to 64")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32], help="--max-batch of the server")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement, up to 60")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each case, up to 20")
    parser.add_argument("--model", default=None, help="model file; without it, the bundled one")
    arguments = parser.parse_args()
    within = 0 < arguments.seconds <= 60 and 0 < arguments.rounds <= 20
    if not (within and all(0 < count <= 64 for count in arguments.clients)):
        parser.error("--seconds is up to 60, --rounds to 20 and --clients to 64")
    shared = ["--model", arguments.model] if arguments.model else []
    with ExitStack() as stack:
        urls = {n: stack.enter_context(Server(["--max-batch", str(n), *shared])).url for n in arguments.batch}
        cases = [(*case, n) for case in product(PHOTOS, arguments.clients) for n in urls]
        for name, url in product(PHOTOS, urls.values()):
            load(url, *PHOTOS[name], 4, 0.5)  # what is made at first use is there
        rounds = [
            [measure(urls[n], *PHOTOS[name], clients, arguments.seconds) for name, clients, n in cases]
            for _ in range(arguments.rounds)
        ]
    print(
        "| input | clients | --max-batch | photos/s | median ms | 90th percentile ms | CPU ms a photo | faces a call |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case, measured in zip(cases, zip(*rounds, strict=True), strict=True):
        rate, middle, late, cpu, faces = (median(column) for column in zip(*measured, strict=True))
        print(f"| {' | '.join(map(str, case))} | {rate:.0f} | {middle:.0f} | {late:.0f} | {cpu:.1f} | {faces:.1f} |")


if __name__ == "__main__":
    main()

"""A peer in a process of its own: its threads, its OpenMP runtime and its crashes stay there."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import sys
import time
from multiprocessing.connection import Connection

import numpy as np
from peers import FRAME_PEERS, PEERS, Task


class Skipped(Exception):
    """A peer cannot run here; the text says why."""


class Worker:
    """Starts the process of a peer and talks to it."""

    def __init__(self, name: str, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.log = task.folder / f"{name}.log"
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, task, str(self.log)), daemon=True)
        self._process.start()
        theirs.close()
        self.version: str
        self.load_seconds: float
        self.version, self.load_seconds = self._receive()

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """One untimed call, whose result is checked."""
        self._pipe.send(("predict", pixels))
        return self._receive()

    def time(self, pixels: np.ndarray, count: int) -> list[tuple[float, float]]:
        """Each of `count` calls in a row, after one that is not timed: seconds passed, and of all threads' CPU time."""
        self._pipe.send(("time", (pixels, count)))
        return self._receive()

    def memory(self) -> float:
        """The most memory that the process has held until now, in MB."""
        self._pipe.send(("memory", None))
        return self._receive()

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(timeout=5)
        self._process.kill()

    def _receive(self):
        try:
            kind, content = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise Skipped(f"its process ended with status {self._process.exitcode}; see {self.log}") from None
        if kind == "failed":
            self.close()
            raise Skipped(content)
        return content


def _serve(pipe: Connection, name: str, task: Task, log: str) -> None:
    """The process of a peer: loads it, then answers until the pipe is closed."""
    # Before any library is loaded: what it prints goes to the log, and its OpenMP runtime reads this.
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["OMP_NUM_THREADS"] = str(task.threads)
    module, function = (PEERS | FRAME_PEERS)[name]
    try:
        load = getattr(importlib.import_module(f"peers.{module}"), function)
        started = time.perf_counter()
        call, version = load(task)
        pipe.send(("done", (version, time.perf_counter() - started)))
        answers = {
            "predict": call,
            "time": lambda content: _timed(call, *content),
            "memory": lambda _: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        while True:
            request, content = pipe.recv()
            pipe.send(("done", answers[request](content)))
    except EOFError:
        sys.exit(0)
    except Exception as error:
        message = (str(error).strip().splitlines() or [""])[0]
        pipe.send(("failed", f"{type(error).__name__}: {message}"))
        raise


def _timed(call, pixels: np.ndarray, count: int) -> list[tuple[float, float]]:
    call(pixels)
    times = []
    for _ in range(count):
        started, cpu_started = time.perf_counter(), time.process_time()
        call(pixels)
        times.append((time.perf_counter() - started, time.process_time() - cpu_started))
    return times

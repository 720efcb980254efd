"""Several processes that train together: how they find, sum up and tell each other."""

from __future__ import annotations

import ctypes
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from .. import _training_structures as _structures
from .._arguments import within
from .._extras import needed
from ..errors import BlanError

Value = TypeVar("Value")

_WORLD_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")
"""Where mpirun tells the number of processes: Open MPI, MPICH and their relatives."""


@runtime_checkable
class Processes(Protocol):
    """What training needs of a group of processes; every process makes the same calls in the same order.

    Attributes:
        rank: of this process, from 0.
        size: number of processes.
    """

    rank: int
    size: int

    def sum(self, values: np.ndarray) -> None:
        """Adds a vector of float32 up over all processes, in place; all come out with the same bits."""

    def gather(self, value: Any) -> list[Any]:
        """What every process gave, by rank."""


class MPIProcesses:
    """The processes of an mpi4py communicator, which must not be used for anything else meanwhile."""

    def __init__(self, comm: Any) -> None:
        self._mpi = needed("mpi4py.MPI", "mpi", "training by several processes")
        self._comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    def sum(self, values: np.ndarray) -> None:
        """Adds a vector up over all processes, in place."""
        self._comm.Allreduce(self._mpi.IN_PLACE, values, op=self._mpi.SUM)

    def gather(self, value: Any) -> list[Any]:
        """What every process gave, by rank."""
        return self._comm.allgather(value)

    @contextmanager
    def ending_together(self, seconds: float = 10.0) -> Iterator[None]:
        """Lets an error through when every process has one; otherwise the others would wait for this one forever.

        Args:
            seconds: after which the errors of others are waited for no longer, and all processes are ended.
        """
        ending = self._comm.Dup()  # the processes may be anywhere else: their other messages are not to be met
        try:
            yield
        except Exception as error:
            arrived, deadline = ending.Ibarrier(), time.monotonic() + seconds
            while not arrived.Test():
                if time.monotonic() > deadline:
                    print(f"process {self.rank} of {self.size} ends all:", file=sys.stderr)
                    traceback.print_exception(error)
                    self._comm.Abort(1)
                time.sleep(0.01)
            raise


def world() -> MPIProcesses | None:
    """The processes that mpirun has started; None where this one is alone.

    Raises:
        UnsupportedError: there are several, and mpi4py is not installed.
    """
    sizes = [os.environ.get(name, "") for name in _WORLD_SIZES]
    if not any(size.isdigit() and int(size) > 1 for size in sizes):
        return None
    return MPIProcesses(needed("mpi4py.MPI", "mpi", "training by several processes").COMM_WORLD)


def processes_of(comm: Any) -> Processes | None:
    """The processes of what a caller named: an mpi4py communicator, `Processes`, or None; None for a single one."""
    if comm is None:
        return None
    processes = MPIProcesses(comm) if hasattr(comm, "Get_rank") else comm
    return processes if processes.size > 1 else None


def together(processes: Processes | None, body: Callable[[], Value]) -> Value:
    """Runs `body` in every process: all go on or none does.

    Raises:
        BlanError: what `body` raises; where it raised in another process alone, one of the same class that names it.
    """
    if processes is None:
        return body()
    value: Any = None
    own: BlanError | None = None
    try:
        value = body()
    except BlanError as error:
        own = error
    kinds = processes.gather(None if own is None else (type(own), str(own)))
    if own is not None:
        raise own
    for rank, kind in enumerate(kinds):
        if kind is not None:
            raise kind[0](f"process {rank}: {kind[1]}")
    return value


def from_first(processes: Processes | None, body: Callable[[], Value]) -> Value:
    """Runs `body` in the first process and gives its value to all.

    Raises:
        BlanError: what `body` raises, in all processes.
    """
    if processes is None:
        return body()
    value = together(processes, body if processes.rank == 0 else _nothing)
    return processes.gather(value)[0]


def _nothing() -> Any:
    return None


class Sums:
    """The C callback of a trainer that sums over processes, and what went wrong in it.

    Attributes:
        callback: for `blan_train_options.allreduce`; it is called on a thread of the library.
        error: the first exception, or None.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.error: BaseException | None = None
        self.callback = _structures.Allreduce(self._sum)

    def _sum(self, values: Any, count: int, _user: int | None) -> int:
        try:
            self.processes.sum(np.ctypeslib.as_array(values, shape=(count,)))
        except BaseException as error:
            self.error = self.error or error
            return 1
        return 0

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Names the exception in the callback as the cause of what the library reports."""
        try:
            yield
        except BlanError as error:
            if self.error is not None:
                raise error from self.error
            raise


def shared_options(options: ctypes.Structure, sums: Sums | None, synchronised_batch_norm: bool) -> None:
    """Fills in the fields of a blan_train_options that are about other processes."""
    options.world_size, options.synchronised_batch_norm = 1, synchronised_batch_norm
    if sums is not None:
        options.allreduce = sums.callback
        size = within("the number of processes", sums.processes.size, 1, 2**31 - 1)
        options.rank, options.world_size = within("rank", sums.processes.rank, 0, size - 1), size

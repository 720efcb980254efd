"""Dynamic batching: what arrives at the same time goes through the network in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers items from any number of callers and works on them together, in a thread of an executor.

    A batch starts with the first item that waits. It is full at `max_batch` items; otherwise it waits for more, at most
    `max_wait` seconds, and only while `expecting` says that more are on their way, so an idle server answers at once.
    What arrives while a batch runs makes the next one. All methods belong to the event loop's thread.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        executor: Executor,
        *,
        max_batch: int,
        max_wait: float,
        expecting: Callable[[], bool],
    ) -> None:
        """Sets up; `start` begins.

        Args:
            work: called in the executor with 1 to `max_batch` items; gives a result for each.
            executor: where `work` runs.
            max_batch: items in one call, from 1.
            max_wait: seconds that a batch waits for more items.
            expecting: whether more items are on their way.
        """
        self._work, self._executor = work, executor
        self._max_batch, self._max_wait, self._expecting = max_batch, max_wait, expecting
        self._queue: asyncio.Queue[tuple[Item, asyncio.Future[Result]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Items that are not in a batch yet."""
        return self._queue.qsize()

    def start(self) -> None:
        """Begins to work, on the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stops. Whoever still waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        while not self._queue.empty():
            self._queue.get_nowait()[1].cancel()

    async def submit(self, items: Sequence[Item]) -> list[Result]:
        """The results of some items, in their order. Raises what the work on any of them raised.

        A caller that is cancelled takes its items back, unless their batch runs already.
        """
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in items]
        for pair in zip(items, futures, strict=True):
            self._queue.put_nowait(pair)
        return list(await asyncio.gather(*futures))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [pair for pair in await self._gather() if not pair[1].done()]
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(self._executor, self._work, [item for item, _ in batch])
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
            except asyncio.CancelledError:
                for _, future in batch:
                    future.cancel()
                raise
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    async def _gather(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch = [await self._queue.get()]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._max_wait
        while len(batch) < self._max_batch:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
                continue
            remaining = deadline - loop.time()
            if remaining <= 0 or not self._expecting():
                break
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), remaining))
            except asyncio.TimeoutError:
                break
        return batch

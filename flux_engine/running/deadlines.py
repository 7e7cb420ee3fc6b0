"""When waits run out: one sleeping task for all of them, however many there are."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from flux_engine.clock import Clock
from flux_engine.definition import WorkflowDefinition


class Deadline(Struct, frozen=True, order=False):
    """When a step of a run stops waiting for its signal. ``at`` is seconds since the epoch."""

    at: float
    run_id: str
    step: str
    definition: WorkflowDefinition[Any, Any]


class Deadlines:
    """Calls ``on_due`` with each deadline when its time has come."""

    def __init__(self, clock: Clock, on_due: Callable[[Deadline], Awaitable[None]]) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[float, int, Deadline]] = []
        self._watched: set[tuple[float, str, str]] = set()
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._called: set[asyncio.Task[None]] = set()

    def add(self, deadline: Deadline) -> None:
        """Watch a deadline, once however often it is added. One that has passed is due at once."""
        key = (deadline.at, deadline.run_id, deadline.step)
        if key in self._watched:
            return
        self._watched.add(key)
        self._count += 1
        heapq.heappush(self._heap, (deadline.at, self._count, deadline))
        if self._heap[0][2] is deadline:  # the one that was first before sleeps too long
            if self._task is not None:
                self._task.cancel()
            self._task = asyncio.ensure_future(self._watch())

    async def close(self) -> None:
        """Watch no longer. What is stored stays, and is watched again by whoever recovers the run."""
        self._heap.clear()
        self._watched.clear()
        tasks = [task for task in (self._task, *self._called) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._task = None

    async def _watch(self) -> None:
        while self._heap:
            left = self._heap[0][0] - self._clock.now()
            if left > 0:
                await self._clock.sleep(left)
                continue
            deadline = heapq.heappop(self._heap)[2]
            self._watched.discard((deadline.at, deadline.run_id, deadline.step))
            called = asyncio.ensure_future(self._on_due(deadline))
            self._called.add(called)
            called.add_done_callback(self._called.discard)

"""Who starts runs on Restate and sends them their signals, in a thread of its own."""

import asyncio
import contextlib
import itertools
import random
import threading
from typing import Any

from chaos_flows import kind_of

from flux_engine import FluxError, WorkflowState
from flux_engine.integrations.restate import RestateClient
from flux_engine.journal import workflow_state

AT_ONCE = 12
"""Runs that are under way at a time."""


class Driver:
    """Starts runs until ``enough``; asks again for as long as the server is away."""

    def __init__(self, client: RestateClient) -> None:
        self.client = client
        self.ids: dict[str, str] = {}
        self.ended: set[str] = set()
        self.error: BaseException | None = None
        self.enough = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._drive, daemon=True)
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Wait until all runs have ended."""
        self.enough.set()
        assert self._finished.wait(seconds), f"these do not end: {set(self.ids) - self.ended}"
        if self.error is not None:
            raise self.error

    def left(self) -> set[str]:
        """Return the runs that have not ended."""
        return set(self.ids) - self.ended

    def read(self) -> list[tuple[WorkflowState, Any]]:
        """Return all runs as they stand, each with its invocation."""
        return asyncio.run(self._read())

    def _drive(self) -> None:
        try:
            asyncio.run(self._start_and_signal())
        except BaseException as error:
            self.error = error
        self._finished.set()

    async def _start_and_signal(self) -> None:
        numbers = itertools.count(1)
        while True:
            with contextlib.suppress(FluxError):
                await self._look()
            while len(self.left()) < AT_ONCE and not self.enough.is_set():
                number = next(numbers)
                for _ in range(random.choice((1, 1, 2))):  # a key that is given twice is one run
                    await self._start(number)
            if self.enough.is_set() and not self.left():
                return
            await asyncio.sleep(0.1)

    async def _start(self, number: int) -> None:
        while True:
            with contextlib.suppress(FluxError):
                kind = kind_of(number)
                run_id = await self.client.start(kind, {"number": number}, idempotency_key=f"key-{number}")
                assert self.ids.setdefault(run_id, kind) == kind
                return
            await asyncio.sleep(0.1)

    async def _look(self) -> None:
        for row in await self.client.runs(limit=100_000):
            if row.status.ended:
                self.ended.add(row.id)
            elif row.status == "suspended" and self.ids.get(row.id) == "asks":
                with contextlib.suppress(FluxError):
                    await self.client.signal(row.id, "go", {"by": "driver"}, workflow="asks")

    async def _read(self) -> list[tuple[WorkflowState, Any]]:
        found = []
        for run_id, kind in self.ids.items():
            run = await self.client.run(run_id, kind)
            found.append((workflow_state(run.record, run.entries), run.invocation))
        return found

"""What an engine is made of, and how it is opened and closed."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from flux_engine.arguments import check_parts
from flux_engine.builder import check_retries, check_timeout
from flux_engine.clock import Clock, IdFactory, SystemClock, new_id
from flux_engine.hooks import Hooks
from flux_engine.logger import FluxLogger, default_logger
from flux_engine.running.announcer import Announcer, Sink
from flux_engine.running.custody import Custody
from flux_engine.running.deadlines import Deadline, Deadlines
from flux_engine.running.pausing import PauseBefore, guarded
from flux_engine.running.problems import Problems
from flux_engine.running.services import Services
from flux_engine.storage.base import WorkflowStorage
from flux_engine.storage.memory import MemoryStorage


class EngineParts:
    """The parts of a ``FluxEngine``, which documents the arguments."""

    def __init__(
        self,
        *,
        storage: WorkflowStorage | None = None,
        trace: Sink | None = None,
        default_retries: int = 3,
        default_timeout: float | None = 30.0,
        logger: FluxLogger | None = None,
        on: Hooks | None = None,
        clock: Clock | None = None,
        ids: IdFactory = new_id,
        stop_grace: float = 5.0,
        lease: float = 30.0,
        pause_before: PauseBefore | None = None,
    ) -> None:
        check_retries("FluxEngine(default_retries=…)", default_retries)
        check_timeout("FluxEngine(default_timeout=…)", default_timeout)
        check_parts(storage, trace, on)
        chosen_logger = logger or default_logger()
        self._storage = storage if storage is not None else MemoryStorage()
        self._trace = trace
        self._clock: Clock = clock or SystemClock()
        self._ids = ids
        self._stop_grace = stop_grace
        self._problems = Problems(chosen_logger)
        self._services = Services(
            storage=self._storage,
            announcer=Announcer(trace, on or Hooks(), self._problems),
            clock=self._clock,
            logger=chosen_logger,
            default_retries=default_retries,
            default_timeout=default_timeout,
            lease=lease,
            pause_before=None if pause_before is None else guarded(pause_before, self._problems),
        )
        self._custody = Custody(self._services)
        self._deadlines = Deadlines(self._clock, self._expire)
        self._services.deadlines = self._deadlines
        self._opened = False

    # Opening and closing

    async def init(self) -> None:
        """Open the store. Every verb does so when needed; calling it again does nothing."""
        if not self._opened:
            await self._storage.open()
            self._opened = True
            self._services.stopping = False

    async def close(self) -> None:
        """Hand back the runs in hand at their next step boundary, then close the store and the sink.

        A handler that has not come to its end after ``stop_grace`` seconds is cancelled. What is not
        done stays in the store and can be resumed.
        """
        self._services.stopping = True
        await self._deadlines.close()
        await self._custody.release_all(self._stop_grace)
        if self._opened:
            self._opened = False
            await self._storage.close()
        close_sink = getattr(self._trace, "close", None)
        if callable(close_sink):
            pending = close_sink()
            if asyncio.iscoroutine(pending):
                await pending

    async def __aenter__(self) -> Self:
        await self.init()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def problems(self) -> Mapping[str, int]:
        """How often hooks and the trace sink have failed, by kind."""
        return dict(self._problems.counts)

    async def _expire(self, deadline: Deadline) -> None:
        """Fail a step that has waited too long."""
        raise NotImplementedError

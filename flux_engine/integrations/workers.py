"""What the workers of all brokers are: started, stopped by a signal, and at rest within a grace."""

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

from flux_engine.engine import FluxEngine
from flux_engine.integrations.deliveries import Deliveries, DeliveryStats
from flux_engine.integrations.messages import MAX_BYTES, MessageReader, OnFailure, Route, Workflows
from flux_engine.logger import FluxLogger, default_logger
from flux_engine.retry import Backoff, exponential


class WorkerOptions(TypedDict, total=False):
    """What every worker can be told.

    ``route``: a function from a ``Message`` to a ``Job`` that reads messages in another form.
    ``on_failure``: ``"ack"``, or ``"dead-letter"`` to put aside messages whose run failed, too.
    ``max_bytes``: the largest message that is taken.
    ``grace``: seconds that runs get to come to a step boundary when the worker stops or loses them.
    ``backoff``: the pauses before a message is tried again.
    """

    route: Route | None
    on_failure: OnFailure
    max_bytes: int
    grace: float
    backoff: Backoff
    logger: FluxLogger | None


DEFAULTS: Final = WorkerOptions(
    route=None,
    on_failure="ack",
    max_bytes=MAX_BYTES,
    grace=10.0,
    backoff=exponential(0.5, longest=30.0, jitter=0.2),
    logger=None,
)


class MessageWorker(ABC):
    """Takes messages from a broker and runs workflows on an engine.

    Use it as a context manager, or ``await run()`` in a program that does nothing else. A worker is started
    once; the engine stays open, it belongs to who made it.
    """

    def __init__(
        self,
        engine: FluxEngine,
        workflows: Workflows,
        *,
        concurrency: int,
        **options: Unpack[WorkerOptions],
    ) -> None:
        chosen = DEFAULTS | options
        if unknown := chosen.keys() - DEFAULTS.keys():
            raise TypeError(f"unknown option {min(unknown)!r}; there are {', '.join(DEFAULTS)}")
        _check(concurrency, chosen)
        self._logger = chosen["logger"] or default_logger()
        self._reader = MessageReader(workflows, route=chosen["route"], max_bytes=chosen["max_bytes"])
        self._grace = chosen["grace"]
        self._backoff = chosen["backoff"]
        self._deliveries = Deliveries(
            engine,
            self._reader,
            concurrency=concurrency,
            on_failure=chosen["on_failure"],
            backoff=self._backoff,
            logger=self._logger,
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._stop_asked = asyncio.Event()

    @property
    def stats(self) -> DeliveryStats:
        """What was done so far: messages received, acknowledged, dead-lettered; attempts retried."""
        return self._deliveries.stats

    def stop(self) -> None:
        """Have ``run`` come to its end: nothing new is begun, and runs stop at their next step boundary."""
        self._stop_asked.set()

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or ``stop()``.

        Raises what ended the work before that: an error of the broker that trying again does not heal.
        """
        async with contextlib.AsyncExitStack() as stack:
            with _on_signals(self.stop):
                asked = asyncio.ensure_future(self._stop_asked.wait())
                stack.callback(asked.cancel)
                start = asyncio.ensure_future(stack.enter_async_context(self))
                try:
                    await asyncio.wait([asked, start], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not start.done():
                        start.cancel()
                        await asyncio.wait([start])
                if not start.cancelled():
                    await start
                    await asyncio.wait([asked, *self._tasks], return_when=asyncio.FIRST_COMPLETED)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        broken = [task for task in self._tasks if task.done() and not task.cancelled() and task.exception()]
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._close()
        if error is None and broken:
            await broken[0]

    @abstractmethod
    async def _start(self) -> None:
        """Connect, and begin to take messages; what goes on in the background is in ``_tasks``."""

    @abstractmethod
    async def _close(self) -> None:
        """Let go of what is in hand, tell the broker what is done, and disconnect."""


def _check(concurrency: int, options: WorkerOptions) -> None:
    if concurrency < 1:
        raise ValueError(f"a worker has at least one message in hand at once, not {concurrency}")
    if options["max_bytes"] < 1:
        raise ValueError(f"max_bytes= is at least 1, not {options['max_bytes']}")
    if options["grace"] < 0:
        raise ValueError(f"grace= is 0 seconds or more, not {options['grace']}")
    if options["on_failure"] not in ("ack", "dead-letter"):
        raise ValueError(f"on_failure= is 'ack' or 'dead-letter', not {options['on_failure']!r}")


@contextlib.contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first SIGTERM or SIGINT, where signals can be listened to."""
    loop = asyncio.get_running_loop()
    former: dict[signal.Signals, Any] = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, other threads
            loop.add_signal_handler(number, stop)
            former[number] = handler
    try:
        yield
    finally:
        for number, handler in former.items():
            loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)

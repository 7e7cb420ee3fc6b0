"""Durable actions: what is done once, and answered from Restate's journal when a handler is replayed.

The engine's coroutines are not run as tasks: the order in which tasks come to an action could differ in a
replay. They are moved by hand, one after the other, each from one ``Pending`` that it awaits to the next.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import restate
from restate.serde import BytesSerde

from flux_engine.errors import FluxError

_BYTES = BytesSerde()
RETRY_AFTER = 0.1
"""Seconds after which Restate runs a handler again whose connection was lost, the first time."""
_PROMPT = RETRY_AFTER / 2
"""Seconds since a result in which no other execution can have begun, were the connection lost at once."""


class Pending:
    """What a coroutine awaits from Restate: ``await`` gives what came of it.

    ``ran`` says that an action was carried out here and now, not answered from the journal; ``ended`` when.
    """

    __slots__ = ("ended", "future", "ran")

    def __init__(self, future: Any) -> None:
        self.future = future
        self.ran = False
        self.ended = 0.0

    def __await__(self) -> Generator["Pending", Any, Any]:
        return (yield self)


class InvocationCancelledError(FluxError):
    """Somebody asked Restate to cancel the invocation."""


class Actions:
    """The durable actions of one execution of a handler. ``execution`` names it."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._handlers: set[asyncio.Task[Any]] = set()
        self.execution = uuid.uuid4().hex[:12]
        self._did_first = 0.0

    @property
    def is_first(self) -> bool:
        """Whether what comes now happens for the first time, and nowhere else."""
        return time.monotonic() - self._did_first < _PROMPT

    @property
    def is_replaying(self) -> bool:
        """Whether an earlier execution came further than this point."""
        return bool(self._context.vm.is_replaying())

    def begin(
        self,
        name: str,
        work: Callable[[], Awaitable[bytes]],
        again: Callable[[], bytes] | None = None,
        *,
        in_doubt: bool = False,
    ) -> Pending:
        """Begin an action. ``again`` takes the place of ``work`` when an execution before began it too.

        ``in_doubt`` says that one may have, whether Restate knows of it or not.
        """
        begun_before = in_doubt or self.is_replaying

        async def act() -> bytes:
            pending.ran = True
            if begun_before and again is not None:
                return again()
            task = asyncio.current_task()
            if task is not None:
                self._handlers.add(task)
            try:
                return await work()
            finally:
                pending.ended = time.monotonic()
                if task is not None:
                    self._handlers.discard(task)

        options = restate.RunOptions[bytes](serde=_BYTES)
        pending = Pending(None)
        pending.future = self._context.run_typed(name, act, options)
        return pending

    def timer(self, seconds: float) -> Pending:
        """Begin to wait for so many seconds."""
        return Pending(self._context.sleep(timedelta(seconds=max(0.0, seconds))))

    def promise(self, name: str) -> Pending:
        """Begin to wait for a promise that somebody else resolves."""
        return Pending(self._context.promise(name, serde=_BYTES).value())

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await self.timer(seconds)

    async def first_of(self, pending: list[Pending]) -> tuple[Pending, Any]:
        """Wait until one of them has come to its end; return it and what came of it.

        Of several the one that Restate recorded first, in a replay too. Raises ``InvocationCancelledError``.
        """
        by_future = {id(each.future): each for each in pending}
        try:
            done, _ = await restate.wait_completed(*(each.future for each in pending))
            found = by_future[id(done[0])]
            value = await found.future
        except restate.TerminalError as error:
            raise InvocationCancelledError("the invocation was cancelled") from error
        # What was done here no earlier execution can have done, and Restate has taken it. After a timer or
        # a signal, and a little later, another execution may be on its way beside this one.
        self._did_first = found.ended if found.ran else 0.0
        return found, value

    async def stop_handlers(self) -> None:
        """Cancel the handlers that are running, and wait until they have ended."""
        running = list(self._handlers)
        for task in running:
            task.cancel()
        if running:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(running, timeout=5.0)

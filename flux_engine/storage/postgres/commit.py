"""Group commit: writes that arrive while transactions are under way share the next one.

A durable commit waits for the disk, so its price is shared by as many writes as are there. Each of
them succeeds or fails by itself all the same. The writes to one run are made in their order.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flux_engine.storage.postgres.writer import Outcome, Writer
from flux_engine.storage.postgres.writes import Write

_MOST = 200
"""Writes in a batch: so many that the price of the commit is nothing, so few that nobody waits long."""


class _Pending(NamedTuple):
    write: Write
    done: "asyncio.Future[Any]"


class GroupCommit:
    """The queue in front of writers. ``changed`` is called after each batch, before those who wait are told.

    ``translate`` makes errors of the database those of Flux.
    """

    def __init__(
        self,
        writers: Sequence[Writer],
        changed: Callable[[], None],
        translate: Callable[[BaseException], Exception],
    ) -> None:
        self._writers = tuple(writers)
        self._changed = changed
        self._translate = translate
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: asyncio.Future[None] | None = None
        self._begin()

    async def write(self, write: Write) -> Any:
        """Make a write, durably, and return its result. Cancelling the caller does not take it back."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # whoever waited in one that has ended waits no longer
            self._begin()
            self._loop = loop
        done: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Pending(write, done))
        self._send()
        return await done

    async def close(self) -> None:
        """Wait for the writes under way, then close the connections."""
        if self._loop is asyncio.get_running_loop() and (self._waiting or self._under_way):
            self._idle = self._loop.create_future()
            await self._idle
        for writer in self._writers:
            await writer.close()

    def _begin(self) -> None:
        self._waiting: list[_Pending] = []
        self._under_way: set[str] = set()
        self._free = list(reversed(self._writers))
        self._idle = None

    def _send(self) -> None:
        """Give a free writer what may be made now."""
        if not self._free or not self._waiting:
            return
        batch: list[_Pending] = []
        later: list[_Pending] = []
        keys = set(self._under_way)
        for pending in self._waiting:
            if pending.write.key in keys or len(batch) == _MOST:
                later.append(pending)
            else:
                batch.append(pending)
            keys.add(pending.write.key)
        if not batch:
            return
        self._waiting = later
        self._under_way.update(pending.write.key for pending in batch)
        writer = self._free.pop()
        writes = [pending.write for pending in batch]
        writer.link.call(
            lambda: writer.make(writes), lambda outcomes, error: self._ended(writer, batch, outcomes, error)
        )

    def _ended(
        self,
        writer: Writer,
        batch: Sequence[_Pending],
        outcomes: Sequence[Outcome] | None,
        error: Exception | None,
    ) -> None:
        self._changed()
        self._free.append(writer)
        self._under_way.difference_update(pending.write.key for pending in batch)
        for pending, outcome in zip(batch, outcomes or [(None, error)] * len(batch), strict=True):
            self._report(pending.done, *outcome)
        # After those who wait for this batch: their next writes can share the next one.
        asyncio.get_running_loop().call_soon(self._go_on)

    def _report(self, done: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
            return
        told = self._translate(error)
        if told is not error:
            told.__cause__ = error
        done.set_exception(told)

    def _go_on(self) -> None:
        self._send()
        if self._idle is not None and not self._idle.done() and not (self._waiting or self._under_way):
            self._idle.set_result(None)

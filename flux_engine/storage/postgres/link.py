"""A connection to PostgreSQL and the thread that alone uses it; lost, it is made again.

The thread is a daemon: a store that nobody closes does not keep the program from ending. Nothing durable is
lost by that: what was not committed was not reported as done either.
"""

import asyncio
import contextlib
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg

from flux_engine.running.threads import run_in_thread
from flux_engine.storage.postgres.server import (
    Connection,
    Server,
    back_off,
    is_lost,
    is_undecided,
)

Result = TypeVar("Result")
Then = Callable[[Any, Exception | None], None]
"""Takes what a call returned, and what it raised."""


class Link:
    """Makes calls with a connection, one after the other.

    ``role`` is part of the name that the server lists it under; ``settings`` are made on each connection, and
    ``prepare`` is called with it.
    """

    def __init__(
        self,
        server: Server,
        role: str,
        prepare: Callable[[Connection], None] | None = None,
        **settings: str,
    ) -> None:
        self.server = server
        self.name = f"flux-{role}-{uuid.uuid4().hex[:16]}"
        self._prepare = prepare
        self._settings = settings
        self._connection: Connection | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Then, asyncio.AbstractEventLoop] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], Any], then: Then) -> None:
        """Have the function called in the thread, and then ``then`` on the event loop that runs now."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
            self._thread.start()
        self._calls.put((function, then, asyncio.get_running_loop()))

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what the function returns. Cancelling the caller does not take it back."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def settle(result: Result, error: Exception | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        self.call(function, settle)
        return await done

    async def close(self) -> None:
        """Close the connection, after the calls under way; then the thread ends."""
        thread, self._thread = self._thread, None
        if thread is None:
            self.drop()
            return
        self._calls.put(None)
        await run_in_thread(thread.join)

    # In the thread

    @property
    def connection(self) -> Connection | None:
        """The connection, if there is one at the moment."""
        return self._connection

    def connected(self) -> Connection:
        """Return the connection, making it when there is none that works."""
        if self._connection is not None and self._connection.closed:
            self.drop()
        if self._connection is None:
            connection = self.server.connect(self.name, **self._settings)
            try:
                if self._prepare is not None:
                    self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def drop(self) -> None:
        """Close the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                connection.close()

    def patiently(self, make: Callable[[Connection], Result]) -> Result:
        """Return what ``make`` returns; call it again for as long as the server is away and patience lasts.

        What the server rolled back in favour of somebody else is made again too.
        """
        waits = None
        while True:
            try:
                return make(self.connected())
            except psycopg.Error as error:
                if is_lost(error, self._connection):
                    self.drop()
                elif not is_undecided(error):
                    raise
                waits = waits or back_off(self.server.patience)
                if next(waits, None) is None:
                    raise

    def end_others(self) -> None:
        """End what the server still does for earlier connections of this link, and wait until it is done.

        A server may not know yet that a connection is lost. Afterwards nothing that was sent
        over it can take effect any more.
        """
        until = time.monotonic() + self.server.patience
        while True:
            found = self.connected().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = %s AND pid <> pg_backend_pid()",
                (self.name,),
            )
            if not found.fetchall():
                return
            if time.monotonic() > until:
                raise psycopg.OperationalError("an earlier connection does not end")
            time.sleep(0.01)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            function, then, loop = call
            result, error = None, None
            try:
                result = function()
            except Exception as raised:  # noqa: BLE001 - handed to whoever asked for the call
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(then, result, error)
            del call, function, then, loop, result, error
        self.drop()


class Links:
    """A pool of links, each connected when it is used first. Those who wait come in their order."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._all = tuple(links)
        self._free = list(reversed(self._all))
        self._waiting: deque[asyncio.Future[Link]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Link]:
        """Give a link that nobody else uses meanwhile."""
        link = await self.take()
        try:
            yield link
        finally:
            self.give_back(link)

    async def take(self) -> Link:
        """Take a link out of the pool."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # whoever took one in a loop that has ended does not give it back
            self._loop, self._free, self._waiting = loop, list(reversed(self._all)), deque()
        if self._free:
            return self._free.pop()
        asked: asyncio.Future[Link] = loop.create_future()
        self._waiting.append(asked)
        try:
            return await asked
        except asyncio.CancelledError:
            if asked.done() and not asked.cancelled():  # it was given at the same moment
                self.give_back(asked.result())
            raise

    def give_back(self, link: Link) -> None:
        """Put a link back, or pass it on to the one who has waited longest."""
        while self._waiting:
            asked = self._waiting.popleft()
            if not asked.done():
                asked.set_result(link)
                return
        self._free.append(link)

    async def close(self) -> None:
        """Close them all."""
        for link in self._all:
            await link.close()

"""A connection to SQLite and the thread that alone uses it.

The thread is a daemon: a store that nobody closes does not keep the program from ending. Nothing durable is
lost by that: what was not committed was not reported as done either.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

ConnectionT = TypeVar("ConnectionT", bound=sqlite3.Connection)
Result = TypeVar("Result")

Then = Callable[[Any, Exception | None], None]
"""Takes what a call returned, and what it raised."""


class ConnectionThread(Generic[ConnectionT]):
    """Makes calls with a connection, one after the other. ``connect`` opens it, in the thread too."""

    def __init__(self, connect: Callable[[], ConnectionT]) -> None:
        self._connect = connect
        self._connection: ConnectionT | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Then, asyncio.AbstractEventLoop] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._serve, name="flux-sqlite", daemon=True)

    async def open(self) -> None:
        """Open the connection. Raises what ``connect`` raises; the thread has ended then."""
        self._thread.start()
        try:
            await self._result_of(self._open)
        except Exception:
            self._end()
            raise
        except BaseException:  # cancelled while the file may be locked: nobody waits for the thread
            self._calls.put(None)
            raise

    def call(self, function: Callable[[ConnectionT], Any], then: Then) -> None:
        """Have the function called, and then ``then`` on the event loop that runs now."""
        self._calls.put((lambda: function(self._opened()), then, asyncio.get_running_loop()))

    async def run(self, function: Callable[[ConnectionT], Result]) -> Result:
        """Return what the function returns. Cancelling the caller does not take it back."""
        return await self._result_of(lambda: function(self._opened()))

    async def close(self) -> None:
        """Close the connection, after the calls under way; then the thread ends."""
        try:
            await self._result_of(self._close)
        finally:
            self._end()

    def _end(self) -> None:
        self._calls.put(None)
        self._thread.join()

    async def _result_of(self, function: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def settle(result: Result, error: Exception | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        self._calls.put((function, settle, loop))
        return await done

    # In the thread

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
        self._close()

    def _open(self) -> None:
        self._connection = self._connect()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> ConnectionT:
        if self._connection is None:
            raise sqlite3.ProgrammingError("The connection is not open.")
        return self._connection

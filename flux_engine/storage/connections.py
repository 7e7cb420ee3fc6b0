"""Connections of aiosqlite whose threads end when they should, and not before."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread, current_thread
from typing import Any, Literal

import aiosqlite

from flux_engine.running.threads import settle

_ROWS = 64
"""How many rows aiosqlite fetches at a time when a cursor is iterated, by default."""


class Connection(aiosqlite.Connection):
    """A connection that serves one event loop after another.

    The thread of aiosqlite ends when the event loop that waits for it is closed, and whoever asks it for
    something later waits for ever. This one drops what nobody waits for.
    """

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or not self._connection:
            raise ValueError("The connection is closed.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def call() -> None:
            result, error = None, None
            try:
                result = fn(*args, **kwargs)
            except Exception as raised:  # noqa: BLE001 - handed to whoever asked for the call
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, done, result, error)

        self._tx.put_nowait((None, call))
        return await done


async def connect(
    path: Path, factory: Callable[..., sqlite3.Connection], mode: Literal["rw", "ro"], busy_timeout: float
) -> aiosqlite.Connection:
    """Open a connection in autocommit mode. ``factory`` makes it, in its own thread."""
    threads = []

    def make() -> sqlite3.Connection:
        threads.append(current_thread())
        return factory(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=busy_timeout, isolation_level=None
        )

    connection = _from_daemon_thread(partial(Connection, make, _ROWS))
    try:
        return await connection
    except Exception:
        # aiosqlite has told the thread to end and does not wait for it; the last thing the thread
        # does is to tell the event loop, which may be closed by then.
        for thread in threads:
            thread.join()
        raise


def _from_daemon_thread(make: Callable[[], Connection]) -> Connection:
    """Make a connection whose thread does not keep the process alive when nobody closes the store.

    A thread is a daemon when the one that made it is, and aiosqlite makes it here. Nothing durable is
    lost: a write that was not committed was not reported as done either.
    """
    made: list[Connection] = []
    thread = Thread(target=lambda: made.append(make()), daemon=True)
    thread.start()
    thread.join()
    return made[0]

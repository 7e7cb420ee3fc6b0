"""Connections of aiosqlite whose threads end when they should."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Thread, current_thread
from typing import Any, Literal

import aiosqlite


async def connect(
    path: Path, factory: Callable[..., sqlite3.Connection], mode: Literal["rw", "ro"], busy_timeout: float
) -> aiosqlite.Connection:
    """Open a connection in autocommit mode. ``factory`` makes it, in its own thread."""
    threads = []

    def make(*arguments: Any, **options: Any) -> sqlite3.Connection:
        threads.append(current_thread())
        return factory(*arguments, **options)

    connection = _from_daemon_thread(
        lambda: aiosqlite.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_timeout,
            isolation_level=None,
            factory=make,
        )
    )
    try:
        return await connection
    except Exception:
        # aiosqlite has told the thread to end and does not wait for it; the last thing the thread
        # does is to tell the event loop, which may be closed by then.
        for thread in threads:
            thread.join()
        raise


def _from_daemon_thread(make: Callable[[], aiosqlite.Connection]) -> aiosqlite.Connection:
    """Make a connection whose thread does not keep the process alive when nobody closes the store.

    A thread is a daemon when the one that made it is, and aiosqlite makes it here. Nothing durable is
    lost: a write that was not committed was not reported as done either.
    """
    made: list[aiosqlite.Connection] = []
    thread = Thread(target=lambda: made.append(make()), daemon=True)
    thread.start()
    thread.join()
    return made[0]

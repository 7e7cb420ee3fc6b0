"""How a store learns that somebody wrote to it, without asking again and again.

A store that writes says so on a channel of the database (``NOTIFY``), at most so often: each takes a lock of
the whole database for a moment. A store that is asked for its revision listens. Nothing is missed when a
writer dies before it has said so, or while nobody listens: the server's own snapshot of transactions is
compared too.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import psycopg
from psycopg import sql

from flux_engine.running.threads import run_in_thread
from flux_engine.storage.postgres.link import Link, Links
from flux_engine.storage.postgres.server import Connection, Server, back_off

PAUSE = 0.03
"""Seconds between two notifications of one store."""

LOOK = 1.0
"""Seconds after which a listener that has heard nothing looks for itself."""

SNAPSHOT = "SELECT pg_current_snapshot()::text"
"""Changes with the end of every transaction that writes, of the whole server."""


def channel(server: Server) -> str:
    """Return the channel of a store, within its database."""
    return f"flux {server.schema}"[:63]


class Notifier:
    """Tells others that something was written, soon and once for many writes, and by whom: ``name``."""

    def __init__(self, server: Server, links: Links, name: str) -> None:
        self._name = name
        self._channel = channel(server)
        self._links = links
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def changed(self) -> None:
        """Note that something was written."""
        self._again = True
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._tell())

    async def close(self) -> None:
        """Tell what was not told yet."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            await task

    async def _tell(self) -> None:
        while self._again:
            self._again = False
            async with self._links.one() as link:
                await link.run(partial(self._notify, link))
            if self._task is not None:  # nobody waits for the end
                await asyncio.sleep(PAUSE)

    def _notify(self, link: Link) -> None:
        try:
            link.connected().execute("SELECT pg_notify(%s, %s)", (self._channel, self._name), prepare=True)
        except psycopg.Error:
            link.drop()  # who listens has lost its connection as well, or looks for itself


class Listener:
    """A thread that listens; ``changed`` is called in it, but for what the store of this ``name`` told.

    ``listening`` says whether it can be relied on.
    """

    def __init__(self, server: Server, changed: Callable[[], None], name: str) -> None:
        self._server = server
        self._name = name
        self._changed = changed
        self._connection: Connection | None = None
        self._ended = threading.Event()
        self.listening = False
        self._thread = threading.Thread(target=self._listen, name="flux-listener", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """End the thread."""
        self._ended.set()
        await run_in_thread(self._thread.join)

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                with self._server.connect("flux-listener") as connection:
                    listen = sql.SQL("LISTEN {}").format(sql.Identifier(channel(self._server)))
                    connection.execute(listen)
                    self._changed()  # whatever happened before
                    self.listening = True
                    self._hear(connection)
            except psycopg.Error:
                self.listening = False
                self._changed()
            for _ in back_off(LOOK):
                if self._ended.is_set():
                    break

    def _hear(self, connection: Connection) -> None:
        seen = connection.execute(SNAPSHOT).fetchone()
        quiet = 0.0
        while not self._ended.is_set():
            heard = [told.payload for told in connection.notifies(timeout=0.1, stop_after=1)]
            quiet = 0.0 if heard else quiet + 0.1
            if any(name != self._name for name in heard):
                self._changed()
            if quiet >= LOOK:
                quiet, before = 0.0, seen
                seen = connection.execute(SNAPSHOT).fetchone()
                if seen != before:
                    self._changed()

"""Group commit: writes that arrive while a transaction is under way share the next one.

A durable commit waits for the disk, so its price is shared by as many writes as are there. Each of
them succeeds or fails by itself all the same.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import aiosqlite

from flux_engine.storage.identity import FileGoneError, FileIdentity
from flux_engine.storage.rows import Write


class PendingWrite:
    """A write on its way: set by the task that asked for it, made in the thread of the connection."""

    __slots__ = ("done", "error", "result", "write")

    def __init__(self, write: Write, done: asyncio.Future[Any]) -> None:
        self.write = write
        self.done = done
        self.result: Any = None
        self.error: Exception | None = None

    def make(self, connection: sqlite3.Connection) -> None:
        """Make the write, noting its result or its error."""
        self.error = None
        try:
            self.result = self.write(connection)
        except Exception as error:  # noqa: BLE001 - handed to the task that waits for this write
            self.error = error


class WriterConnection(sqlite3.Connection):
    """A connection whose ``executemany`` makes a batch of writes in one transaction.

    Each call through aiosqlite costs a passage to the thread of the connection and back, more than
    the statements of a step do. ``executemany`` is the call that carries a list there, so one call takes
    a whole transaction: begin, writes, commit.

    ``file`` is checked before each: nothing is written to a file that is no longer at its path.
    """

    file: FileIdentity | None = None

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Make the ``PendingWrite``s of a batch; ``sql`` begins their transaction."""
        batch = list(parameters)
        self._check_file()
        if not self._in_one_transaction(sql, batch):
            for pending in batch:
                self._in_one_transaction(sql, [pending])
        return self.cursor()

    def close(self) -> None:
        """Close the connection."""
        with suppress(FileGoneError, OSError):
            self._check_file()
        super().close()

    def _check_file(self) -> None:
        """Raise ``FileGoneError`` when the file is no longer at its path.

        The write-ahead log is found by its path too, and SQLite would take what is left in it for
        part of the file that is there now. So it is emptied into the file it belongs to.
        """
        if self.file is None:
            return
        try:
            self.file.check()
        except FileGoneError:
            with suppress(sqlite3.Error):
                self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            raise

    def _in_one_transaction(self, begin: str, batch: Sequence[PendingWrite]) -> bool:
        """Make all of the batch; return false, with nothing written, when one failed half-way."""
        try:
            if self.in_transaction:  # the end of the one before failed
                self.execute("ROLLBACK")
            self.execute(begin)
            for pending in batch:
                before = self.total_changes
                pending.make(self)
                if pending.error is not None and (self.total_changes != before or not self.in_transaction):
                    if self.in_transaction:
                        self.execute("ROLLBACK")
                    return len(batch) == 1
            self.execute("COMMIT")
        except sqlite3.Error as error:
            if self.in_transaction:
                self.execute("ROLLBACK")
            for pending in batch:
                pending.error = pending.error or error
        return True


class GroupCommit:
    """The queue in front of a writer connection. ``translate`` makes errors of the database those of Flux.

    ``turn`` is held by whoever writes to the file: the queue for each batch, or a handler's transaction,
    for which the queue then waits. Turns come in the order in which they were asked for.
    """

    def __init__(self, connection: aiosqlite.Connection, translate: Callable[[Exception], Exception]) -> None:
        self._connection = connection
        self._translate = translate
        self.turn = asyncio.Lock()
        self._waiting: list[PendingWrite] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, write: Write) -> Any:
        """Make a write, durably, and return its result. Cancelling the caller does not take it back."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(PendingWrite(write, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name="flux group commit")
        return await done

    async def close(self) -> None:
        """Wait for the writes under way, then close the connection."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        async with self.turn:
            await self._connection.close()

    async def _drain(self) -> None:
        batch: Sequence[PendingWrite] = ()
        try:
            while self._waiting:
                async with self.turn:
                    batch, self._waiting = self._waiting, []
                    await self._make(batch)
                self._report(batch)
        except asyncio.CancelledError:  # the event loop is being shut down
            for pending in (*batch, *self._waiting):
                pending.done.cancel()
            self._waiting.clear()
            raise

    async def _make(self, batch: Sequence[PendingWrite]) -> None:
        try:
            await self._connection.executemany("BEGIN IMMEDIATE", batch)
        except Exception as error:  # noqa: BLE001 - handed to the tasks that wait
            for pending in batch:
                pending.error = pending.error or error

    def _report(self, batch: Sequence[PendingWrite]) -> None:
        for pending in batch:
            if pending.done.done():
                continue
            if pending.error is None:
                pending.done.set_result(pending.result)
                continue
            error = self._translate(pending.error)
            if error is not pending.error:
                error.__cause__ = pending.error
            pending.done.set_exception(error)

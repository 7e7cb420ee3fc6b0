"""Group commit: writes that arrive while a transaction is under way share the next one.

A durable commit waits for the disk, so its price is shared by as many writes as are there. Each of
them succeeds or fails by itself all the same.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from flux_engine.storage.connection_thread import ConnectionThread
from flux_engine.storage.identity import FileGoneError, FileIdentity
from flux_engine.storage.rows import Saving, Write, save_steps
from flux_engine.storage.turn import Turn


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
    """A connection that makes a batch of writes in one transaction.

    ``file`` is checked before each: nothing is written to a file that is no longer at its path.
    """

    file: FileIdentity | None = None

    def make(self, batch: Sequence[PendingWrite]) -> None:
        """Make the writes of a batch, together unless one of them fails."""
        self._check_file()
        steps = [
            pending.write for pending in batch if isinstance(pending.write, Saving) and pending.write.is_step
        ]
        if len(steps) > 1 and self._in_one_transaction(batch, steps):
            return
        if not self._in_one_transaction(batch):
            for pending in batch:
                self._in_one_transaction([pending])

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

    def _in_one_transaction(self, batch: Sequence[PendingWrite], steps: Sequence[Saving] = ()) -> bool:
        """Make all of the batch; return false, with nothing written, when one failed half-way.

        ``steps`` are those of its writes that are made first and together. They may overtake others: whoever
        waits for the same transaction cannot have counted on its order.
        """
        try:
            if self.in_transaction:  # the end of the one before failed
                self.execute("ROLLBACK")
            self.execute("BEGIN IMMEDIATE")
            if steps and not self._made(steps):
                self.execute("ROLLBACK")
                return False
            for pending in batch:
                if steps and isinstance(pending.write, Saving) and pending.write.is_step:
                    continue
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

    def _made(self, steps: Sequence[Saving]) -> bool:
        try:
            return save_steps(self, steps)
        except Exception:  # noqa: BLE001 - made one by one, it is raised again and told to whom it concerns
            return False


class GroupCommit:
    """The queue in front of a writer connection. ``translate`` makes errors of the database those of Flux.

    The turn is held by whoever writes to the file: the queue for each batch, or a handler's transaction,
    for which the queue then waits.
    """

    def __init__(
        self, thread: ConnectionThread[WriterConnection], translate: Callable[[Exception], Exception]
    ) -> None:
        self._turn = Turn()
        self._thread = thread
        self._translate = translate
        self._waiting: list[PendingWrite] = []
        self._busy = False
        self._idle: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def turn(self) -> Turn:
        """Whose turn it is to write to the file."""
        self._present_loop()
        return self._turn

    async def write(self, write: Write) -> Any:
        """Make a write, durably, and return its result. Cancelling the caller does not take it back."""
        loop = self._present_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(PendingWrite(write, done))
        if not self._busy:
            self._busy = True
            self._start()
        return await done

    async def close(self) -> None:
        """Wait for the writes under way, then close the connection."""
        loop = self._present_loop()
        if self._busy:
            self._idle = loop.create_future()
            await self._idle
        await self._turn.take()
        await self._thread.close()

    def _present_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop. Whoever waited in one that has ended waits no longer."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._busy, self._waiting, self._turn = loop, False, [], Turn()
        return loop

    def _start(self) -> None:
        if self._turn.take_now():
            self._send()
        else:
            self._turn.ask().add_done_callback(self._send)

    def _send(self, _: object = None) -> None:
        batch, self._waiting = self._waiting, []
        self._thread.call(
            lambda connection: connection.make(batch), lambda _, error: self._ended(batch, error)
        )

    def _ended(self, batch: Sequence[PendingWrite], error: Exception | None) -> None:
        self._turn.give_back()
        for pending in batch:
            self._report(pending, pending.error or error)
        # After those who wait for this batch: their next writes can share the next one.
        asyncio.get_running_loop().call_soon(self._go_on)

    def _report(self, pending: PendingWrite, error: Exception | None) -> None:
        if pending.done.done():
            return
        if error is None:
            pending.done.set_result(pending.result)
            return
        told = self._translate(error)
        if told is not error:
            told.__cause__ = error
        pending.done.set_exception(told)

    def _go_on(self) -> None:
        if self._waiting:
            self._start()
            return
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

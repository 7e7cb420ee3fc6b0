"""A handler's transaction in the SQLite file of the store, on a connection of its own.

The connection is opened for it and closed after it: nothing that a handler sets there outlives the attempt.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import NamedTuple

from flux_engine.errors import FluxError, TransactionError
from flux_engine.running.threads import run_in_thread, to_its_end
from flux_engine.storage import rows
from flux_engine.storage.authorizer import Authorizer
from flux_engine.storage.base import Parameters, RunTransaction, RunWrite, StatementResult
from flux_engine.storage.turn import Turn

Statement = Callable[[sqlite3.Connection], sqlite3.Cursor]


class TransactionFile(NamedTuple):
    """The file of a store, as far as transactions need it.

    ``turn`` is held by whoever writes to the file in this process. ``check`` raises when the path leads to
    another file than the store has open. ``translate`` makes errors of the database those of Flux.
    """

    turn: Turn
    connect: Callable[[], sqlite3.Connection]
    check: Callable[[], None]
    translate: Callable[[Exception], FluxError]


class SQLiteTransaction(RunTransaction):
    """Holds the turn of the store's file, and SQLite's write lock, from the first statement to its end."""

    def __init__(self, file: TransactionFile) -> None:
        self._file = file
        self._authorizer = Authorizer()
        self._connection: sqlite3.Connection | None = None
        self._starting = asyncio.Lock()
        self._has_turn = False
        self._over = False
        self._committed = False
        # Threads of a handler whose attempt is over may still be on their way to the connection.
        self._using = Lock()

    @property
    def committed(self) -> bool:
        """Whether ``commit`` did its work."""
        return self._committed

    async def execute(self, sql: str, parameters: Parameters = ()) -> StatementResult:
        """Make one statement, in a worker thread."""
        return await self._make(lambda connection: connection.execute(sql, parameters))

    async def executemany(self, sql: str, rows: Iterable[Parameters]) -> StatementResult:
        """Make one statement for each of the rows, in a worker thread."""
        return await self._make(lambda connection: connection.executemany(sql, rows))

    async def commit(self, write: RunWrite) -> str | None:
        """Apply the write, and commit it with the statements."""
        try:
            await self._take_turn()
            request: str | None = await to_its_end(run_in_thread(partial(self._commit, write)))
        finally:
            await self.rollback()
        return request

    async def rollback(self) -> None:
        """Take back what was not committed, and give back the turn."""
        self._over = True
        if not self._has_turn:
            return
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # closed in the meantime
                connection.interrupt()
        try:
            await to_its_end(run_in_thread(self._close))
        finally:
            self._give_turn_back()

    async def _make(self, statement: Statement) -> StatementResult:
        await self._take_turn()
        result: StatementResult = await run_in_thread(partial(self._run, statement))
        return result

    async def _take_turn(self) -> None:
        async with self._starting:
            if not self._over and not self._has_turn:
                await self._file.turn.take()
                self._has_turn = True
                if self._over:  # the attempt ended while this waited
                    self._give_turn_back()
            self._check_open()

    def _give_turn_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._file.turn.give_back()

    # In worker threads

    def _run(self, statement: Statement) -> StatementResult:
        with self._using:
            connection = self._begun()
            try:
                cursor = statement(connection)
                found = cursor.fetchall() if cursor.description else []
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
                    raise TransactionError(f"ctx.tx: {self._authorizer.reason}") from error
                raise
            return StatementResult(rowcount=cursor.rowcount, lastrowid=cursor.lastrowid, rows=found)

    def _begun(self) -> sqlite3.Connection:
        """Return the connection, within its transaction."""
        self._check_open()
        if self._connection is None:
            self._connection = self._begin()
        if not self._connection.in_transaction:
            raise TransactionError(
                "The database has rolled ctx.tx back because of an earlier error; nothing was written. "
                "Let that error leave the handler, and the commit is tried again."
            )
        return self._connection

    def _begin(self) -> sqlite3.Connection:
        try:
            self._file.check()
            connection = self._file.connect()
        except Exception as error:
            raise self._file.translate(error) from error
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.set_authorizer(self._authorizer)
        except Exception as error:
            connection.close()
            raise self._file.translate(error) from error
        return connection

    def _commit(self, write: RunWrite) -> str | None:
        with self._using:
            connection = self._begun()
            self._over = True
            connection.set_authorizer(None)
            try:
                request: str | None = rows.Saving(write)(connection)
                self._file.check()
                connection.execute("COMMIT")
                self._committed = True
            except sqlite3.IntegrityError:  # a deferred constraint of the handler's tables
                raise
            except Exception as error:
                raise self._file.translate(error) from error
            return request

    def _close(self) -> None:
        with self._using:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            connection.close()

    def _check_open(self) -> None:
        if self._over:
            raise TransactionError(
                "The attempt that this ctx.tx belongs to is over. Make its statements before the handler "
                "returns, and not after its time-out."
            )

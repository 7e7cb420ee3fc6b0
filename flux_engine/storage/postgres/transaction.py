"""A handler's transaction in the database of the store, on a connection that nobody else uses meanwhile."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import psycopg

from flux_engine.errors import FluxError, TransactionError
from flux_engine.running.threads import run_in_thread, to_its_end
from flux_engine.storage.base import Parameters, RunTransaction, RunWrite, StatementResult
from flux_engine.storage.postgres.link import Link, Links
from flux_engine.storage.postgres.placeholders import Statement, translate
from flux_engine.storage.postgres.server import Connection, is_lost
from flux_engine.storage.postgres.statements import JOURNAL
from flux_engine.storage.postgres.texts import kept
from flux_engine.storage.postgres.writes import Saving, Script

_FORGET = (
    b"CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();"
    b" DISCARD TEMP; DISCARD SEQUENCES"
)
"""``DISCARD ALL`` but for the prepared statements, which psycopg would not know to be gone."""

_STANDING = "SELECT fence FROM {s}.runs WHERE id = %s FOR UPDATE"


class Surroundings(NamedTuple):
    """What a transaction needs of its store. ``changed`` is called when something was written."""

    links: Links
    script: Script
    lease: Callable[[float | None], float | None]
    changed: Callable[[], None]
    translate: Callable[[BaseException], Exception]


class PostgresTransaction(RunTransaction):
    """Holds a connection from the first statement to its end. Other runs are not held up by it."""

    def __init__(self, store: Surroundings) -> None:
        self._store = store
        self._link: Link | None = None
        self._starting = asyncio.Lock()
        self._begun = False
        self._over = False
        self._committed = False
        self._unclear = False
        # Threads of a handler whose attempt is over may still be on their way to the connection.
        self._using = Lock()

    @property
    def committed(self) -> bool:
        """Whether ``commit`` did its work."""
        return self._committed

    @property
    def unclear(self) -> bool:
        """Whether the server was sent a ``COMMIT`` and could not be asked what became of it."""
        return self._unclear

    async def execute(self, sql: str, parameters: Parameters = ()) -> StatementResult:
        """Make one statement."""
        statement = self._translated(sql, parameters)
        link = await self._started()
        return await link.run(lambda: self._run(link, statement, parameters))

    async def executemany(self, sql: str, rows: Iterable[Parameters]) -> StatementResult:
        """Make one statement for each of the rows."""
        every = list(rows)
        statement = self._translated(sql, every[0] if every else ())
        link = await self._started()
        return await link.run(lambda: self._run_many(link, statement, every))

    async def commit(self, write: RunWrite) -> str | None:
        """Apply the write, and commit it with the statements."""
        try:
            link = await self._started()
            saving = Saving(write, self._store.lease(write.lease_until))
            request: str | None = await to_its_end(link.run(lambda: self._commit(link, saving)))
        finally:
            if self._committed:
                self._store.changed()
            await self.rollback()
        return request

    async def rollback(self) -> None:
        """Take back what was not committed, and give the connection back."""
        self._over = True
        link, self._link = self._link, None
        if link is None:
            return
        connection = link.connection
        try:
            if connection is not None and self._begun:
                await to_its_end(run_in_thread(lambda: _interrupt(connection)))
            await to_its_end(link.run(lambda: _clean(link)))
        finally:
            self._store.links.give_back(link)

    async def _started(self) -> Link:
        async with self._starting:
            if not self._over and self._link is None:
                link = await self._store.links.take()
                if self._over:  # the attempt ended while this waited
                    self._store.links.give_back(link)
                else:
                    self._link = link
            self._check_open()
            assert self._link is not None  # noqa: S101 - or _check_open has raised
            return self._link

    def _translated(self, sql: str, parameters: Parameters) -> Statement:
        return translate(sql, named=isinstance(parameters, Mapping), schema=self._store.script.schema)

    def _check_open(self) -> None:
        if self._over:
            raise TransactionError(
                "The attempt that this ctx.tx belongs to is over. Make its statements before the handler "
                "returns, and not after its time-out."
            )

    # In the thread of the link

    def _run(self, link: Link, statement: Statement, parameters: Parameters) -> StatementResult:
        def make(connection: Connection) -> StatementResult:
            return _result(connection.execute(statement.text, _as_given(parameters)))

        return self._within(link, statement, make)

    def _run_many(self, link: Link, statement: Statement, rows: Sequence[Parameters]) -> StatementResult:
        def make(connection: Connection) -> StatementResult:
            with connection.cursor() as cursor:
                cursor.executemany(statement.text, [_as_given(row) for row in rows])
                return StatementResult(rowcount=cursor.rowcount, lastrowid=None, rows=[])

        return self._within(link, statement, make)

    def _within(
        self, link: Link, statement: Statement, make: Callable[[Connection], StatementResult]
    ) -> StatementResult:
        """Make a statement; when it fails, what was made before it still stands, as on SQLite."""
        with self._using:
            connection = self._in_transaction(link)
            if statement.savepoint:
                return make(connection)
            connection.execute("SAVEPOINT flux_statement")
            try:
                result = make(connection)
            except psycopg.Error:
                with contextlib.suppress(psycopg.Error):
                    connection.execute("ROLLBACK TO flux_statement")
                raise
            connection.execute("RELEASE flux_statement")
            return result

    def _in_transaction(self, link: Link) -> Connection:
        """Return the connection, within its transaction."""
        self._check_open()
        if not self._begun:
            try:
                connection = link.patiently(_begin)
            except psycopg.Error as error:
                raise self._store.translate(error) from error
            self._begun = True
            return connection
        open_ = link.connection
        if open_ is None or open_.closed or not _is_open(open_):
            raise TransactionError(
                "The database has rolled ctx.tx back, or its connection was lost; nothing was written. "
                "Let that error leave the handler, and the commit is tried again."
            )
        return open_

    def _commit(self, link: Link, saving: Saving) -> str | None:
        with self._using:
            connection = self._in_transaction(link)
            self._over = True
            try:
                request = self._store.script.one(connection, saving, None, 0)
            except FluxError:
                raise
            except psycopg.Error as error:
                raise self._refused(error, connection) from error
            try:
                connection.execute("COMMIT")
            except psycopg.Error as error:
                if not is_lost(error, connection):
                    raise  # a deferred constraint of the handler's tables
                self._unclear = True
                found = self._found_committed(link, saving)
                self._unclear = False
                if not found:
                    raise self._refused(error, connection) from error
            self._committed = True
            return request

    def _found_committed(self, link: Link, saving: Saving) -> bool:
        """Find out what became of a commit that the server did not answer."""

        def look(connection: Connection) -> bool:
            link.end_others()
            with connection.transaction():
                found = connection.execute(self._store.script(_STANDING), (kept(saving.key),)).fetchone()
                if found is None:
                    return False
                journal = connection.execute(self._store.script(JOURNAL), (kept(saving.key),)).fetchall()
            stored = {row[0]: (row[3], row[4], row[6]) for row in journal}
            return all(
                seq in stored and _is_same(stored[seq], (status, attempt, completed_at))
                for _, seq, _, _, status, attempt, _, completed_at, *_ in saving.entries
            )

        link.drop()
        try:
            return link.patiently(look)
        except psycopg.Error as error:
            raise self._store.translate(error) from error

    def _refused(self, error: psycopg.Error, connection: Connection) -> Exception:
        """Return what to raise for statements that were not committed: the attempt fails with it."""
        if is_lost(error, connection):
            return TransactionLost(
                f"The connection was lost before ctx.tx was committed; nothing was written. ({error})"
            )
        return self._store.translate(error)


class TransactionLost(ConnectionError):  # noqa: N818 - reads as what happened
    """The server went away in the middle of a transaction: the attempt failed, and may be tried again."""


def _begin(connection: Connection) -> Connection:
    connection.execute("BEGIN")
    return connection


def _is_open(connection: Connection) -> bool:
    return connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def _as_given(parameters: Parameters) -> Any:
    """Return parameters as psycopg takes them; always some, so that it looks at the placeholders."""
    return parameters if isinstance(parameters, Mapping) else tuple(parameters)


def _result(cursor: psycopg.Cursor[Any]) -> StatementResult:
    with cursor:
        rows = cursor.fetchall() if cursor.description else []
        return StatementResult(rowcount=cursor.rowcount, lastrowid=None, rows=rows)


def _is_same(found: tuple[Any, ...], written: tuple[Any, ...]) -> bool:
    (*known, then), (*wanted, when) = found, written
    if known != wanted or (then is None) != (when is None):
        return False
    return then is None or abs(then - when) < 2e-6  # noqa: PLR2004 - stored to the microsecond


def _interrupt(connection: Connection) -> None:
    with contextlib.suppress(psycopg.Error, OSError):
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            connection.cancel_safe(timeout=2)


def _clean(link: Link) -> None:
    """Leave nothing of the handler's on the connection."""
    connection = link.connection
    if connection is None:
        return
    try:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
        connection.execute(_FORGET)
    except psycopg.Error:
        link.drop()

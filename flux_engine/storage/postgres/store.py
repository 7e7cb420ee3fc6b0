"""The store in a PostgreSQL database. ``schema`` documents its tables for reading by hand."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import psycopg

from flux_engine.errors import FluxError, StorageError
from flux_engine.storage.base import (
    Blobs,
    JournalEntry,
    RunQuery,
    RunRecord,
    RunRow,
    RunTransaction,
    RunWrite,
    WorkflowStorage,
)
from flux_engine.storage.postgres import schema as tables
from flux_engine.storage.postgres import statements
from flux_engine.storage.postgres.changes import SNAPSHOT, Listener, Notifier
from flux_engine.storage.postgres.commit import GroupCommit
from flux_engine.storage.postgres.link import Link, Links
from flux_engine.storage.postgres.listing import listing
from flux_engine.storage.postgres.server import DURABILITY, Connection, Server, check_schema_name, parse
from flux_engine.storage.postgres.texts import given, kept
from flux_engine.storage.postgres.transaction import PostgresTransaction, Surroundings
from flux_engine.storage.postgres.writer import Writer
from flux_engine.storage.postgres.writes import Creation, Saving, Script, Write

_COLLATIONS = """
SELECT quote_ident(collname) FROM pg_collation
 WHERE collname IN ('und-x-icu', 'C.utf8', 'C.UTF-8', 'en_US.utf8') AND collencoding IN (-1, 6)
 ORDER BY collname = 'und-x-icu' DESC LIMIT 1"""


class _Session(NamedTuple):
    """What is open between ``open`` and ``close``."""

    readers: Links
    lower: str
    writer: GroupCommit | None
    notifier: Notifier | None
    transactions: Links

    async def close(self) -> None:
        if self.writer is not None:
            await self.writer.close()
        await self.transactions.close()
        if self.notifier is not None:
            await self.notifier.close()
        await self.readers.close()


class PostgresStorage(WorkflowStorage):
    """Keeps runs in a schema of a PostgreSQL database, shared by any number of processes on any hosts.

    ``dsn`` is a URL (``postgresql://user:password@host:5432/database``) or ``key=value`` pairs.
    ``durability="full"`` waits for the server's disk at each commit; ``"normal"`` does not, and a failure of
    the server can take back the last writes. ``writers``, ``readers`` and ``transactions`` are how many
    connections there are at most for writes, for reads and for ``ctx.tx``; one more listens once ``revision``
    was asked for. ``connect_timeout`` is how many seconds to wait for an answer at ``open``, ``patience`` how
    many to wait for a server that goes away later, before ``StorageError`` is raised. With ``read_only``
    nothing is created, migrated or written. ``clock`` is this host's: leases are sent as seconds from now by
    it, and end by the clock of the server.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "flux",
        durability: Literal["full", "normal"] = "full",
        writers: int = 2,
        readers: int = 2,
        transactions: int = 8,
        connect_timeout: float = 5.0,
        patience: float = 30.0,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if durability not in DURABILITY:
            raise StorageError(f"durability is 'full' or 'normal', not {durability!r}.")
        if min(writers, readers, transactions) < 1:
            raise StorageError("writers, readers and transactions are numbers of connections, at least 1.")
        check_schema_name(schema)
        self._server = Server(
            parameters=parse(dsn), schema=schema, durability=durability, patience=patience,
            connect_timeout=connect_timeout, read_only=read_only,
        )  # fmt: skip
        self._sizes = (writers, readers, transactions)
        self._script = Script(schema)
        self._name = uuid.uuid4().hex
        self._clock = clock
        self._session: _Session | None = None
        self._listener: Listener | None = None
        self._changes = 0
        self._snapshot: str | None = None
        self._gate = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"PostgresStorage({self._server.address!r}, schema={self._server.schema!r})"

    async def open(self) -> None:
        """Make the schema ready, creating or migrating it. Calling it again does nothing.

        Raises ``SchemaVersionError`` for a store of a newer Flux, and ``StorageError`` for a server that is
        not to be reached or used, and for a schema of another program, which is left as it is.
        """
        async with self._alone():
            if self._session is None:
                self._session = await self._open()
                self._changes += 1

    async def close(self) -> None:
        """Close the connections, after the writes under way have ended. Calling it again does nothing."""
        async with self._alone():
            session, self._session = self._session, None
            listener, self._listener = self._listener, None
            if session is not None:
                await asyncio.shield(session.close())
            if listener is not None:
                await listener.close()

    async def create(
        self, record: RunRecord, entries: Sequence[JournalEntry] = (), blobs: Blobs = ()
    ) -> None:
        """Add a run. Raises ``RunExistsError`` when the id, or the workflow's idempotency key, is taken."""
        await self._write(Creation(record, entries, blobs, self._lease(record.lease_until)))

    async def claim(self, run_id: str, *, fence: int, owner: str, lease_until: float | None = None) -> int:
        """Give the run a new owner, if its fencing token is still ``fence``; return its new token."""
        token: int = await self._write(self._script.claiming(run_id, fence, owner, self._lease(lease_until)))
        return token

    async def save(self, write: RunWrite) -> str | None:
        """Apply one write, whole; return the request that waits for the run's owner.

        It shares its transaction with others that are waiting.
        """
        request: str | None = await self._write(Saving(write, self._lease(write.lease_until)))
        return request

    async def request(self, run_id: str, what: str) -> None:
        """Ask the run's owner for something, in place of what was asked before."""
        await self._write(self._script.requesting(run_id, what))

    async def renew(self, owner: str, lease_until: float) -> dict[str, str]:
        """Extend the leases of ``owner`` by one write; return the requests that wait for it, by run id."""
        found = await self._write(self._script.renewal(owner, lease_until - self._clock()))
        return {given(run_id): given(request) for run_id, request in found}

    async def find(self, run_id: str) -> RunRecord | None:
        """Return the run, or ``None``."""
        found = await self._read(statements.FIND, (kept(run_id),))
        return statements.run_record(found[0], self._clock()) if found else None

    async def find_by_key(self, workflow: str, key: str) -> RunRecord | None:
        """Return the run of ``workflow`` with this idempotency key, or ``None``."""
        found = await self._read(statements.FIND_BY_KEY, (kept(workflow), kept(key)))
        return statements.run_record(found[0], self._clock()) if found else None

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """Return the run's entries by growing ``seq``."""
        return [
            statements.journal_entry(row) for row in await self._read(statements.JOURNAL, (kept(run_id),))
        ]

    async def blobs(self, run_id: str) -> dict[str, str]:
        """Return the blobs that the run's writes named, by hash."""
        return {row[0]: given(row[1]) for row in await self._read(statements.BLOBS, (kept(run_id),))}

    async def list(self, query: RunQuery) -> list[RunRow]:
        """Return a page of runs, newest first, without reading inputs, data or journals."""
        found = await self._read(*listing(query, self._opened().lower))
        now = self._clock()
        return [statements.run_row(row, now) for row in found]

    async def delete(self, run_id: str) -> bool:
        """Remove the run, its journal and the blobs no other run uses; return whether there was one."""
        deleted: bool = await self._write(self._script.deletion(run_id))
        return deleted

    async def revision(self) -> int:
        """Return a number that differs after any write: by this object at once, by others within moments.

        Others are listened to, so that asking costs nothing; while nobody listens the server is asked.
        """
        self._opened()
        if self._listener is None:
            self._listener = Listener(self._server, self._changed, self._name)
        if not self._listener.listening:
            ((snapshot,),) = await self._read(SNAPSHOT, ())
            if snapshot != self._snapshot:
                self._snapshot = snapshot
                self._changed()
        return self._changes

    def transaction(self, run_id: str) -> RunTransaction:  # noqa: ARG002 - a database has them for every run
        """Return a new transaction, on a connection of its own."""
        session = self._opened()
        if session.notifier is None:
            raise self._only_read()
        return PostgresTransaction(
            Surroundings(
                links=session.transactions,
                script=self._script,
                lease=self._lease,
                changed=self._written,
                translate=self._server.translate,
            )
        )

    async def _open(self) -> _Session:
        writers, readers, transactions = self._sizes
        links = Links([Link(self._server, "reader", jit="off") for _ in range(readers)])
        writer, notifier = None, None
        if not self._server.read_only:
            notifier = Notifier(self._server, links, self._name)
            writer = GroupCommit(
                [Writer(self._server, self._script) for _ in range(writers)],
                self._written,
                self._server.translate,
            )
        session = _Session(
            links, "", writer, notifier,
            Links([Link(self._server, "transaction") for _ in range(transactions)]),
        )  # fmt: skip
        try:
            async with links.one() as link:
                lower = await link.run(lambda: self._made_ready(link))
        except BaseException as error:
            await session.close()
            if isinstance(error, psycopg.Error | OSError):
                raise self._server.translate(error) from None
            raise
        return session._replace(lower=lower)

    def _made_ready(self, link: Link) -> str:
        """Check server and schema; return the collation that knows upper and lower case."""
        connection = link.connected()
        self._check_encoding(connection)
        if self._server.read_only:
            tables.check(connection, self._server.schema)
        else:
            tables.prepare(connection, self._server.schema)
            connection.execute(self._script(statements.OLD_WRITERS))
        found = connection.execute(_COLLATIONS).fetchone()
        return '"default"' if found is None else str(found[0])

    def _check_encoding(self, connection: Connection) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StorageError(
                f"The database at {self._server.address} has the encoding {encoding}; a store needs UTF8. "
                "Create one with `createdb --encoding=UTF8 --template=template0`."
            )

    async def _read(self, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        session = self._opened()
        made = self._script(statement)
        try:
            async with session.readers.one() as link:
                return await link.run(
                    lambda: link.patiently(lambda connection: connection.execute(made, parameters).fetchall())
                )
        except psycopg.Error as error:
            raise self._server.translate(error) from error

    async def _write(self, write: Write) -> Any:
        writer = self._opened().writer
        if writer is None:
            raise self._only_read()
        return await writer.write(write)

    def _written(self) -> None:
        """Note that something was written here."""
        self._changed()
        if self._session is not None and self._session.notifier is not None:
            self._session.notifier.changed()

    def _changed(self) -> None:
        self._changes += 1

    def _lease(self, until: float | None) -> float | None:
        """Return how many seconds are left until then."""
        return None if until is None else until - self._clock()

    def _only_read(self) -> FluxError:
        return StorageError(f"{self!r} was opened with read_only; nothing was written.")

    def _opened(self) -> _Session:
        if self._session is None:
            raise StorageError(
                f"{self!r} is not open. Use it inside `async with engine:`, "
                "or call `await storage.open()` first."
            )
        return self._session

    def _alone(self) -> asyncio.Lock:
        """Return the lock of ``open`` and ``close``. A lock serves one event loop only."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._gate, self._loop = asyncio.Lock(), loop
        return self._gate

"""The store in a SQLite file. ``schema`` documents its tables for reading by hand."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiosqlite

from flux_engine.errors import FluxError, StorageError
from flux_engine.storage import listing, rows, schema
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
from flux_engine.storage.commit import GroupCommit, WriterConnection
from flux_engine.storage.connection_thread import ConnectionT, ConnectionThread
from flux_engine.storage.connections import connect
from flux_engine.storage.faults import storage_error
from flux_engine.storage.identity import FileIdentity
from flux_engine.storage.transaction import SQLiteTransaction, TransactionFile


class _Session(NamedTuple):
    """What is open between ``open`` and ``close``."""

    reader: aiosqlite.Connection
    writer: GroupCommit | None
    file: FileIdentity | None

    async def close(self) -> None:
        """Close both. The writer goes last: it is the one that may empty the write-ahead log."""
        try:
            await self.reader.close()
        finally:
            if self.writer is not None:
                await self.writer.close()


class SQLiteStorage(WorkflowStorage):
    """Keeps runs in a SQLite file, which any number of processes may share.

    ``durability="full"`` waits for the disk at each commit; ``"normal"`` does not, and a power failure
    (not a crash of the program) can take back the last writes. ``busy_timeout`` is how many seconds to
    wait for a lock of another process. With ``read_only`` nothing is created, migrated or written.

    The file is made with mode 0600 in a folder of mode 0700. Reads have a connection of their own and
    do not wait for writes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Literal["full", "normal"] = "full",
        busy_timeout: float = 5.0,
        read_only: bool = False,
    ) -> None:
        if str(path) in {"", ":memory:"}:
            raise StorageError(
                f"A store needs a file, not {str(path)!r}. Use MemoryStorage() for runs that need not last."
            )
        if durability not in schema.DURABILITY:
            raise StorageError(f"durability is 'full' or 'normal', not {durability!r}.")
        self.path = Path(path)
        self.durability = durability
        self.busy_timeout = busy_timeout
        self.read_only = read_only
        self._session: _Session | None = None
        self._sessions = 0
        self._gate = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Make the file ready, creating or migrating it. Calling it again does nothing.

        Raises ``SchemaVersionError`` for a store of a newer Flux, and ``StorageError`` for a file that
        is no store or cannot be used; such a file is left as it is.
        """
        async with self._alone():
            if self._session is None:
                with self._faults():
                    self._session = await self._open()
                self._sessions += 1

    async def close(self) -> None:
        """Close the file, after the writes under way have ended. Calling it again does nothing."""
        async with self._alone():
            session, self._session = self._session, None
            if session is not None:
                with self._faults():
                    await asyncio.shield(session.close())

    async def create(
        self, record: RunRecord, entries: Sequence[JournalEntry] = (), blobs: Blobs = ()
    ) -> None:
        """Add a run. Raises ``RunExistsError`` when the id, or the workflow's idempotency key, is taken."""
        await self._write(rows.creation(record, entries, blobs))

    async def claim(self, run_id: str, *, fence: int, owner: str, lease_until: float | None = None) -> int:
        """Give the run a new owner, if its fencing token is still ``fence``; return its new token."""
        token: int = await self._write(rows.claiming(run_id, fence, owner, lease_until))
        return token

    async def save(self, write: RunWrite) -> str | None:
        """Apply one write, whole; return the request that waits for the run's owner.

        It shares its transaction with others that are waiting.
        """
        request: str | None = await self._write(rows.Saving(write))
        return request

    async def request(self, run_id: str, what: str) -> None:
        """Ask the run's owner for something, in place of what was asked before."""
        await self._write(rows.requesting(run_id, what))

    async def renew(self, owner: str, lease_until: float) -> dict[str, str]:
        """Extend the leases of ``owner`` by one write; return the requests that wait for it, by run id."""
        requests: dict[str, str] = await self._write(rows.renewal(owner, lease_until))
        return requests

    async def find(self, run_id: str) -> RunRecord | None:
        """Return the run, or ``None``."""
        found = await self._read(rows.FIND, (run_id,))
        return rows.run_record(found[0]) if found else None

    async def find_by_key(self, workflow: str, key: str) -> RunRecord | None:
        """Return the run of ``workflow`` with this idempotency key, or ``None``."""
        found = await self._read(rows.FIND_BY_KEY, (workflow, key))
        return rows.run_record(found[0]) if found else None

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """Return the run's entries by growing ``seq``."""
        return [rows.journal_entry(row) for row in await self._read(rows.JOURNAL, (run_id,))]

    async def blobs(self, run_id: str) -> dict[str, str]:
        """Return the blobs that the run's writes named, by hash."""
        return {row[0]: row[1] for row in await self._read(rows.BLOBS, (run_id,))}

    async def list(self, query: RunQuery) -> list[RunRow]:
        """Return a page of runs, newest first, without reading inputs, data or journals."""
        return [rows.run_row(row) for row in await self._read(*listing.listing(query))]

    async def delete(self, run_id: str) -> bool:
        """Remove the run, its journal and the blobs no other run uses; return whether there was one."""
        deleted: bool = await self._write(rows.deletion(run_id))
        return deleted

    async def revision(self) -> int:
        """Return a number that differs after any write, by any process.

        The reader's ``data_version`` changes with each commit of any other connection, that of this
        object included. It starts anew with each connection, so the count of sessions goes before it.
        """
        ((version,),) = await self._read("PRAGMA data_version", ())
        return self._sessions << 32 | int(version)

    def transaction(self, run_id: str) -> RunTransaction:  # noqa: ARG002 - a file has them for every run
        """Return a new transaction, on a connection of its own to the file."""
        session = self._opened()
        if session.writer is None or session.file is None:
            raise StorageError(f"{self.path} was opened with read_only; nothing can be written.")
        return SQLiteTransaction(
            TransactionFile(
                turn=session.writer.turn,
                connect=self._new_transaction,
                check=session.file.check,
                translate=self._translate,
            )
        )

    async def _open(self) -> _Session:
        writer = None
        if not self.read_only:
            thread = ConnectionThread(self._new_writer)
            await thread.open()
            writer = GroupCommit(thread, self._translate)
        try:
            file = None if writer is None else FileIdentity(self.path)
            reader = await connect(self.path, self._new_reader, "ro", self.busy_timeout)
        except BaseException:
            if writer is not None:
                await writer.close()
            raise
        return _Session(reader, writer, file)

    def _new_writer(self) -> WriterConnection:
        schema.create_file(self.path)
        connection = self._connect(WriterConnection)
        with _closed_on_error(connection):
            schema.prepare_writer(
                connection, self.path, durability=self.durability, patience=self.busy_timeout
            )
            connection.file = FileIdentity(self.path)
        return connection

    def _new_reader(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        if not self.path.exists():
            raise StorageError(
                f"There is no store at {self.path}, and read_only makes none. "
                "Run a workflow on it first, or name the file of another store."
            )
        connection = sqlite3.Connection(*arguments, **options)
        with _closed_on_error(connection):
            schema.prepare_reader(connection, self.path)
            connection.create_function("flux_lower", 1, listing.lower, deterministic=True)
        return connection

    def _new_transaction(self) -> sqlite3.Connection:
        connection = self._connect(sqlite3.Connection)
        with _closed_on_error(connection):
            schema.prepare_transaction(connection, durability=self.durability)
        return connection

    def _connect(self, factory: type[ConnectionT]) -> ConnectionT:
        """Open a connection that writes, in autocommit mode, to be used by one thread at a time."""
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=factory,
        )

    async def _read(self, sql: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        session = self._opened()
        with self._faults():
            return list(await session.reader.execute_fetchall(sql, parameters))

    async def _write(self, write: rows.Write) -> Any:
        writer = self._opened().writer
        if writer is None:
            raise StorageError(f"{self.path} was opened with read_only; nothing was written.")
        return await writer.write(write)

    def _opened(self) -> _Session:
        if self._session is None:
            raise StorageError(
                f"The store {self.path} is not open. Use it inside `async with engine:`, "
                "or call `await storage.open()` first."
            )
        return self._session

    def _alone(self) -> asyncio.Lock:
        """Return the lock of ``open`` and ``close``. A lock serves one event loop only."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._gate, self._loop = asyncio.Lock(), loop
        return self._gate

    def _translate(self, error: Exception) -> FluxError:
        return storage_error(error, self.path, self.busy_timeout)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except FluxError:
            raise
        except (sqlite3.Error, OSError, ValueError) as error:
            raise self._translate(error) from error


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise

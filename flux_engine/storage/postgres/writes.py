"""The writes of a store: those that share a statement with others, and those made one by one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from psycopg import sql

from flux_engine.errors import FluxError, OwnershipLostError, RunExistsError, RunNotFoundError
from flux_engine.storage.base import Blobs, JournalEntry, RunRecord, RunWrite
from flux_engine.storage.postgres import arrays, statements
from flux_engine.storage.postgres.schema import formatted
from flux_engine.storage.postgres.server import Connection
from flux_engine.storage.postgres.texts import kept, optionally_kept


class Alone(NamedTuple):
    """A write that is made by itself, in a transaction; of those with the same ``key``, one at a time."""

    key: str
    make: Callable[[Connection], Any]


class Creation:
    """The write that adds a run, its first entries and its first blobs. ``lease`` is seconds from now."""

    __slots__ = ("blobs", "entries", "graph", "key", "record", "row")

    def __init__(
        self, record: RunRecord, entries: Sequence[JournalEntry], blobs: Blobs, lease: float | None
    ) -> None:
        self.key = record.id
        self.record = record
        self.blobs = blobs
        self.graph = None
        self.entries = _entry_rows(record.id, entries)
        self.row = (
            *(record.id, record.workflow, record.status.value, record.created_at, record.updated_at),
            *(record.current_step, record.error, record.error_summary, record.owner, record.idempotency_key),
            *(record.fence, record.completed_at, lease, record.request, record.input, record.graph),
        )


class Saving:
    """The write that takes a run a step forward. ``lease`` is seconds from now."""

    __slots__ = ("blobs", "entries", "fence", "graph", "key", "row")

    def __init__(self, write: RunWrite, lease: float | None) -> None:
        self.key = write.run_id
        self.fence = write.fence
        self.blobs = write.blobs
        self.graph = write.graph
        self.entries = _entry_rows(write.run_id, write.entries)
        self.row = (
            *(write.run_id, write.fence, write.status.value, write.updated_at, write.completed_at),
            *(write.current_step, write.error, write.error_summary, write.owner, lease),
        )


Shared = Creation | Saving
Write = Shared | Alone


class Batched(NamedTuple):
    """What became of a batch: the runs whose write was refused, and the requests that wait for owners."""

    refused: frozenset[str]
    requests: dict[str, str]


class Script:
    """The statements of a store, for the schema it is in."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self._made: dict[str, bytes] = {}

    def __call__(self, statement: str) -> bytes:
        """Return a statement with the name of the schema in it."""
        made = self._made.get(statement)
        if made is None:
            made = self._made[statement] = formatted(statement, self.schema).as_bytes(None)
        return made

    def batch(
        self, connection: Connection, writes: Sequence[Shared], writer: str | None, number: int
    ) -> Batched:
        """Make writes to different runs by one statement; their blobs and graphs are left out."""
        parameters = [
            *arrays.columns(
                statements.RUN_KINDS, [each.row for each in writes if isinstance(each, Creation)]
            ),
            *arrays.columns(statements.SAVE_KINDS, [each.row for each in writes if isinstance(each, Saving)]),
            *arrays.columns(statements.ENTRY_KINDS, [row for each in writes for row in each.entries]),
            number,
            writer,
        ]
        found = connection.execute(self(statements.BATCH), parameters, prepare=True).fetchall()
        refused = found[0][0] or ()
        return Batched(frozenset(refused), {row[1]: row[2] for row in found if row[1] is not None})

    def one(self, connection: Connection, write: Shared, writer: str | None, number: int) -> str | None:
        """Make one write, whole, within a transaction; return the request that waits."""
        done = self.batch(connection, [write], writer, number)
        if done.refused:
            raise self.refusal(connection, write)
        if write.graph is not None:
            connection.execute(self(statements.GRAPH), (kept(write.graph), write.key))
        if write.blobs:
            connection.execute(
                sql.SQL(statements.BLOBS_LOCK).format(how=sql.SQL("_shared")),
                (self.schema,),
            )
            blobs = sorted(dict(write.blobs).items())
            hashes = arrays.texts([digest for digest, _ in blobs])
            connection.execute(
                self(statements.PUT_BLOBS), (hashes, arrays.texts([text for _, text in blobs]))
            )
            connection.execute(self(statements.USE_BLOBS), (kept(write.key), hashes))
        return done.requests.get(kept(write.key))

    def refusal(self, connection: Connection, write: Shared) -> FluxError:
        """Return why a write was refused."""
        if isinstance(write, Creation):
            return self._taken(connection, write.record)
        return self._lost(connection, write.key, write.fence)

    def claiming(self, run_id: str, fence: int, owner: str, lease: float | None) -> Alone:
        """Return the write that gives a run a new owner, and returns its new fencing token."""

        def claim(connection: Connection) -> int:
            found = connection.execute(
                self(statements.CLAIM), (kept(owner), lease, kept(run_id), fence)
            ).fetchone()
            if found is None:
                raise self._lost(connection, run_id, fence)
            return int(found[0])

        return Alone(run_id, claim)

    def requesting(self, run_id: str, what: str) -> Alone:
        """Return the write that asks something of a run's owner."""

        def request(connection: Connection) -> None:
            found = connection.execute(self(statements.REQUEST), (kept(what), kept(run_id)))
            if found.fetchone() is None:
                raise _unknown(run_id)

        return Alone(run_id, request)

    def renewal(self, owner: str, lease: float) -> Alone:
        """Return the write that extends the leases of an owner, and returns the requests that wait for it."""

        def renew(connection: Connection) -> list[tuple[str, str]]:
            found = connection.execute(self(statements.RENEW), (lease, kept(owner), kept(owner)))
            return [row for row in found.fetchall() if row[1] is not None]

        return Alone(f"\0{owner}", renew)

    def deletion(self, run_id: str) -> Alone:
        """Return the write that removes a run, and returns whether there was one."""

        def delete(connection: Connection) -> bool:
            hashes = [row[0] for row in connection.execute(self(statements.UNUSE), (kept(run_id),))]
            found = connection.execute(self(statements.DELETE), (kept(run_id),)).fetchone()
            if hashes:
                connection.execute(
                    sql.SQL(statements.BLOBS_LOCK).format(how=sql.SQL("")),
                    (self.schema,),
                )
                connection.execute(self(statements.DELETE_UNUSED), (hashes,))
            return found is not None

        return Alone(run_id, delete)

    def _taken(self, connection: Connection, record: RunRecord) -> RunExistsError:
        if connection.execute(self(statements.TAKEN_ID), (kept(record.id),)).fetchone():
            return RunExistsError(f"A run with the id {record.id!r} exists already. Choose another id.")
        return RunExistsError(
            f"Workflow {record.workflow!r} has a run with the idempotency key "
            f"{optionally_kept(record.idempotency_key)!r} already."
        )

    def _lost(self, connection: Connection, run_id: str, fence: int) -> RunNotFoundError | OwnershipLostError:
        found = connection.execute(self(statements.FENCE), (kept(run_id),)).fetchone()
        if found is None:
            return _unknown(run_id)
        return OwnershipLostError(
            f"Run {run_id!r} has the fencing token {found[0]}, not {fence}: another owner took it over. "
            "Nothing was written."
        )


def _unknown(run_id: str) -> RunNotFoundError:
    return RunNotFoundError(f"There is no run {run_id!r}. Nothing was written.")


def _entry_rows(run_id: str, entries: Sequence[JournalEntry]) -> list[tuple[Any, ...]]:
    by_seq = {entry.seq: entry for entry in entries}
    return [
        (
            *(run_id, entry.seq, entry.kind.value, entry.step),
            *(None if entry.status is None else entry.status.value, entry.attempt),
            *(entry.started_at, entry.completed_at, entry.output, entry.changes, entry.error, entry.detail),
            *(entry.fingerprint, entry.seen, entry.ordinal),
        )
        for entry in by_seq.values()
    ]

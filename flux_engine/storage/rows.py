"""Records as rows of SQLite: the statements that write and read them."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flux_engine.errors import OwnershipLostError, RunExistsError, RunNotFoundError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage.base import Blobs, EntryKind, JournalEntry, RunRecord, RunRow, RunWrite
from flux_engine.storage.times import optional_seconds, optional_text, to_seconds, to_text

Write = Callable[[sqlite3.Connection], Any]
"""One write, made inside a transaction that its caller begins and commits."""

_RECORD = """
SELECT id, workflow, status, input, graph, created_at, updated_at, completed_at, current_step,
       error, error_summary, owner, fence, idempotency_key, lease_until, request
  FROM runs JOIN definitions ON run_id = id"""

FIND = f"{_RECORD} WHERE id = ?"

FIND_BY_KEY = f"{_RECORD} WHERE workflow = ? AND idempotency_key = ?"

JOURNAL = """
SELECT seq, kind, step, status, attempt, started_at, completed_at, output, changes, error, detail,
       fingerprint, seen, ordinal
  FROM journal
 WHERE run_id = ?
 ORDER BY seq"""

BLOBS = "SELECT hash, text FROM blob_uses JOIN blobs USING (hash) WHERE run_id = ?"

_INSERT_RUN = """
INSERT INTO runs (id, workflow, status, created_at, updated_at, completed_at, current_step,
                  error_summary, owner, fence, idempotency_key, error, lease_until, request)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_INSERT_DEFINITION = "INSERT INTO definitions (run_id, input, graph) VALUES (?, ?, ?)"

_PUT_ENTRY = """
INSERT OR REPLACE INTO journal (run_id, seq, kind, step, status, attempt, started_at, completed_at,
                                output, changes, error, detail, fingerprint, seen, ordinal)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_PUT_BLOB = "INSERT OR IGNORE INTO blobs (hash, text) VALUES (?, ?)"

_USE_BLOB = "INSERT OR IGNORE INTO blob_uses (run_id, hash) VALUES (?, ?)"

_ADVANCE = """
UPDATE runs
   SET updated_at = ?, completed_at = ?, current_step = ?, error_summary = ?, error = ?, lease_until = ?
 WHERE id = ? AND fence = ? AND status = ? AND owner IS ? AND request IS NULL"""

_TURN = """
UPDATE runs
   SET updated_at = ?, completed_at = ?, current_step = ?, error_summary = ?, error = ?, lease_until = ?,
       status = ?, owner = ?, request = CASE WHEN ? THEN request END
 WHERE id = ? AND fence = ?"""


def creation(record: RunRecord, entries: Sequence[JournalEntry], blobs: Blobs) -> Write:
    """Return the write that adds a run, its first entries and its first blobs."""
    run = (
        record.id,
        record.workflow,
        record.status.value,
        to_text(record.created_at),
        to_text(record.updated_at),
        optional_text(record.completed_at),
        record.current_step,
        record.error_summary,
        record.owner,
        record.fence,
        record.idempotency_key,
        record.error,
        optional_text(record.lease_until),
        record.request,
    )
    rows = _entry_rows(record.id, entries)

    def create(connection: sqlite3.Connection) -> None:
        try:
            connection.execute(_INSERT_RUN, run)
        except sqlite3.IntegrityError as error:
            raise _taken(connection, record) from error
        connection.execute(_INSERT_DEFINITION, (record.id, record.input, record.graph))
        connection.executemany(_PUT_ENTRY, rows)
        _put_blobs(connection, record.id, blobs)

    return create


def claiming(run_id: str, fence: int, owner: str, lease_until: float | None) -> Write:
    """Return the write that gives a run a new owner, and returns its new fencing token."""

    def claim(connection: sqlite3.Connection) -> int:
        cursor = connection.execute(
            "UPDATE runs SET owner = ?, lease_until = ?, request = NULL, fence = fence + 1"
            " WHERE id = ? AND fence = ?",
            (owner, optional_text(lease_until), run_id, fence),
        )
        if not cursor.rowcount:
            raise _refusal(connection, run_id, fence)
        return fence + 1

    return claim


class Saving:
    """The write that takes a run a step forward, and returns the request that waits for its owner.

    ``is_step`` says that it most likely leaves status and owner as they are, as most steps do; many of those
    are made together by ``save_steps``.
    """

    __slots__ = ("_entries", "_head", "_write", "is_step")

    def __init__(self, write: RunWrite) -> None:
        self._write = write
        self._head = (
            to_text(write.updated_at),
            optional_text(write.completed_at),
            write.current_step,
            write.error_summary,
            write.error,
            optional_text(write.lease_until),
        )
        self._entries = _entry_rows(write.run_id, write.entries)
        self.is_step = (
            write.status is RunStatus.RUNNING
            and write.owner is not None
            and write.graph is None
            and not write.blobs
        )

    def __call__(self, connection: sqlite3.Connection) -> str | None:
        """Make the write."""
        write = self._write
        request = None
        # Most steps forward leave status and owner as they are and meet no request: that takes one
        # statement, which leaves the indexes over status and owner alone.
        if not connection.execute(_ADVANCE, self.advance).rowcount:
            turn = (*self._head, write.status.value, write.owner, write.owner is not None)
            if not connection.execute(_TURN, (*turn, write.run_id, write.fence)).rowcount:
                raise _refusal(connection, write.run_id, write.fence)
            found = connection.execute("SELECT request FROM runs WHERE id = ?", (write.run_id,))
            (request,) = found.fetchone()
        if write.graph is not None:
            connection.execute(
                "UPDATE definitions SET graph = ? WHERE run_id = ?", (write.graph, write.run_id)
            )
        connection.executemany(_PUT_ENTRY, self._entries)
        _put_blobs(connection, write.run_id, write.blobs)
        return request

    @property
    def advance(self) -> tuple[Any, ...]:
        """The parameters of ``_ADVANCE``."""
        write = self._write
        return (*self._head, write.run_id, write.fence, write.status.value, write.owner)

    @property
    def entries(self) -> list[tuple[Any, ...]]:
        """The rows of the journal."""
        return self._entries


def save_steps(connection: sqlite3.Connection, steps: Sequence[Saving]) -> bool:
    """Make many writes by two statements; return false when they are to be made one by one instead.

    That is so when one of them changes more than it seemed, or is to be refused; what was written is to be
    rolled back then.
    """
    if connection.executemany(_ADVANCE, [step.advance for step in steps]).rowcount != len(steps):
        return False
    connection.executemany(_PUT_ENTRY, [entry for step in steps for entry in step.entries])
    return True


def requesting(run_id: str, what: str) -> Write:
    """Return the write that asks something of a run's owner."""

    def request(connection: sqlite3.Connection) -> None:
        if not connection.execute("UPDATE runs SET request = ? WHERE id = ?", (what, run_id)).rowcount:
            raise _unknown(run_id)

    return request


def renewal(owner: str, lease_until: float) -> Write:
    """Return the write that extends the leases of an owner, and returns the requests that wait for it."""

    def renew(connection: sqlite3.Connection) -> dict[str, str]:
        connection.execute("UPDATE runs SET lease_until = ? WHERE owner = ?", (to_text(lease_until), owner))
        return dict(
            connection.execute(
                "SELECT id, request FROM runs WHERE owner = ? AND request IS NOT NULL", (owner,)
            )
        )

    return renew


def deletion(run_id: str) -> Write:
    """Return the write that removes a run, and returns whether there was one."""

    def delete(connection: sqlite3.Connection) -> bool:
        return connection.execute("DELETE FROM runs WHERE id = ?", (run_id,)).rowcount > 0

    return delete


def run_record(row: Sequence[Any]) -> RunRecord:
    """Read a row of ``FIND`` or ``FIND_BY_KEY``."""
    return RunRecord(
        id=row[0],
        workflow=row[1],
        status=RunStatus(row[2]),
        input=row[3],
        graph=row[4],
        created_at=to_seconds(row[5]),
        updated_at=to_seconds(row[6]),
        completed_at=optional_seconds(row[7]),
        current_step=row[8],
        error=row[9],
        error_summary=row[10],
        owner=row[11],
        fence=row[12],
        idempotency_key=row[13],
        lease_until=optional_seconds(row[14]),
        request=row[15],
    )


def journal_entry(row: Sequence[Any]) -> JournalEntry:
    """Read a row of ``JOURNAL``."""
    return JournalEntry(
        seq=row[0],
        kind=EntryKind(row[1]),
        step=row[2],
        status=None if row[3] is None else StepStatus(row[3]),
        attempt=row[4],
        started_at=optional_seconds(row[5]),
        completed_at=optional_seconds(row[6]),
        output=row[7],
        changes=row[8],
        error=row[9],
        detail=row[10],
        fingerprint=row[11],
        seen=row[12],
        ordinal=row[13],
    )


def run_row(row: Sequence[Any]) -> RunRow:
    """Read a row of a ``listing``."""
    return RunRow(
        id=row[0],
        workflow=row[1],
        status=RunStatus(row[2]),
        created_at=to_seconds(row[3]),
        updated_at=to_seconds(row[4]),
        completed_at=optional_seconds(row[5]),
        current_step=row[6],
        error=row[7],
        owner=row[8],
        lease_until=optional_seconds(row[9]),
    )


def _put_blobs(connection: sqlite3.Connection, run_id: str, blobs: Blobs) -> None:
    for blob in blobs:
        connection.execute(_PUT_BLOB, blob)
        connection.execute(_USE_BLOB, (run_id, blob[0]))


_WORDS = {word: word.value for word in (*EntryKind, *StepStatus)}
"""Plain strings: SQLite looks for an adapter first for what is of another type."""


def _entry_rows(run_id: str, entries: Iterable[JournalEntry]) -> list[tuple[Any, ...]]:
    return [
        (
            run_id,
            entry.seq,
            _WORDS[entry.kind],
            entry.step,
            None if entry.status is None else _WORDS[entry.status],
            entry.attempt,
            optional_text(entry.started_at),
            optional_text(entry.completed_at),
            entry.output,
            entry.changes,
            entry.error,
            entry.detail,
            entry.fingerprint,
            entry.seen,
            entry.ordinal,
        )
        for entry in entries
    ]


def _unknown(run_id: str) -> RunNotFoundError:
    return RunNotFoundError(f"There is no run {run_id!r}. Nothing was written.")


def _taken(connection: sqlite3.Connection, record: RunRecord) -> RunExistsError:
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (record.id,)).fetchone():
        return RunExistsError(f"A run with the id {record.id!r} exists already. Choose another id.")
    return RunExistsError(
        f"Workflow {record.workflow!r} has a run with the idempotency key {record.idempotency_key!r} already."
    )


def _refusal(
    connection: sqlite3.Connection, run_id: str, fence: int
) -> RunNotFoundError | OwnershipLostError:
    found = connection.execute("SELECT fence FROM runs WHERE id = ?", (run_id,)).fetchone()
    if found is None:
        return _unknown(run_id)
    return OwnershipLostError(
        f"Run {run_id!r} has the fencing token {found[0]}, not {fence}: another owner took it over. "
        "Nothing was written."
    )

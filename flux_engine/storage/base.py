"""What the engine asks of a store, and the records that it keeps there.

The seam is small on purpose: a store moves text and numbers, atomically, and knows nothing of
workflows. Whatever is a value of the user (input, output, changes, errors) arrives as JSON text
and is given back as the same text. Times are seconds since the epoch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msgspec import Struct

from flux_engine.errors import TransactionError
from flux_engine.execution import RunStatus, StepStatus

Parameters = Sequence[Any] | Mapping[str, Any]
"""What takes the place of ``?`` or ``:name`` in a statement."""

Blobs = tuple[tuple[str, str], ...]
"""Large texts, each after the SHA-256 of it in hexadecimal."""


class RunRecord(Struct, frozen=True, kw_only=True):
    """A run without its journal.

    ``input`` and ``graph`` are JSON text; ``graph`` has the steps and edges of the workflow.
    ``error`` is the JSON text of an ``ErrorInfo`` and ``error_summary`` its one line for listings.
    ``owner`` is the JSON text of an ``Owner``, or ``None`` when nobody has the run in hand.
    ``fence`` is the fencing token: it grows with every claim, and a write with an older one is refused.
    ``lease_until`` is until when the owner may count on the run without renewing its lease.
    ``request`` is what somebody asked the owner to do: ``pause`` or ``cancel``.
    """

    id: str
    workflow: str
    status: RunStatus
    input: str
    graph: str
    created_at: float
    updated_at: float
    completed_at: float | None = None
    current_step: str | None = None
    error: str | None = None
    error_summary: str | None = None
    owner: str | None = None
    fence: int = 0
    idempotency_key: str | None = None
    lease_until: float | None = None
    request: str | None = None


class EntryKind(StrEnum):
    """What a journal entry records."""

    ATTEMPT = "attempt"
    RETRY = "retry"
    SIGNAL = "signal"
    COMPENSATION = "compensation"


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One line of a run's journal, identified within the run by ``seq``, which grows by one.

    An ``ATTEMPT`` is one attempt of a step, written when it starts and again, with the same ``seq``,
    when it ends; a step that was skipped has a single entry with attempt 0. ``output``, ``changes``
    and ``error`` are JSON text, and so is ``detail``.

    ``seen`` is how many results the run had when the attempt started, ``ordinal`` the place of this result
    among the results of the run, from 1: together they say which data the step was given.
    A failed attempt that is tried again has the back-off in ``detail``.

    A ``RETRY`` marks the point where a run was sent back to ``step``: ``detail`` names the steps
    whose results no longer count, ``changes`` is the edit that was merged over the restored data.
    """

    seq: int
    kind: EntryKind
    step: str
    status: StepStatus | None = None
    attempt: int = 0
    started_at: float | None = None
    completed_at: float | None = None
    output: str | None = None
    changes: str | None = None
    error: str | None = None
    detail: str | None = None
    fingerprint: str = ""
    seen: int | None = None
    ordinal: int | None = None


class RunWrite(Struct, frozen=True, kw_only=True):
    """One step forward of a run, written whole or not at all.

    The run's columns become those given here (``graph`` only when it is not ``None``), and each of the
    ``entries`` is inserted, or replaces the entry with its ``seq``.

    ``blobs`` are texts that the entries refer to, each with the SHA-256 of it in hexadecimal. A text is
    stored once, however many runs name it.
    """

    run_id: str
    fence: int
    status: RunStatus
    updated_at: float
    completed_at: float | None = None
    current_step: str | None = None
    error: str | None = None
    error_summary: str | None = None
    owner: str | None = None
    lease_until: float | None = None
    graph: str | None = None
    entries: tuple[JournalEntry, ...] = ()
    blobs: Blobs = ()


class RunQuery(Struct, frozen=True, kw_only=True):
    """Which runs to list: newest first, at most ``limit``.

    ``statuses`` empty means any. ``text`` matches, ignoring case, a part of the id, the workflow's
    name, the current step or the error. ``id_prefix`` is how the id begins, in this very case. ``since``
    is inclusive and ``until`` exclusive, both of ``created_at``. ``before`` is the ``(created_at, id)`` of
    the last row of the page before.
    """

    workflow: str | None = None
    statuses: tuple[RunStatus, ...] = ()
    text: str | None = None
    id_prefix: str | None = None
    since: float | None = None
    until: float | None = None
    before: tuple[float, str] | None = None
    limit: int = 50


class RunRow(Struct, frozen=True, kw_only=True):
    """A row of a listing. ``error`` is one line."""

    id: str
    workflow: str
    status: RunStatus
    created_at: float
    updated_at: float
    completed_at: float | None = None
    current_step: str | None = None
    error: str | None = None
    owner: str | None = None
    lease_until: float | None = None


@dataclass(kw_only=True)
class StatementResult:
    """What a statement of a handler gave.

    ``rowcount`` is how many rows it changed, -1 when it was none that changes rows; ``lastrowid`` is the
    key of the row inserted last; ``rows`` are those that it returned.
    """

    rowcount: int
    lastrowid: int | None
    rows: list[tuple[Any, ...]]


class RunTransaction(ABC):
    """A transaction in which a commit's handler writes, and which ends with the record of that commit.

    It begins with the first statement. The verbs are called on the event loop, by any number of tasks.
    After ``commit`` or ``rollback`` the others raise ``TransactionError``. What the database says of a
    statement is raised as it comes.
    """

    @property
    @abstractmethod
    def committed(self) -> bool:
        """Whether ``commit`` did its work, also when its caller was cancelled meanwhile."""

    @property
    def unclear(self) -> bool:
        """Whether ``commit`` failed, and may have done its work all the same: nobody could find out."""
        return False

    @abstractmethod
    async def execute(self, sql: str, parameters: Parameters = ()) -> StatementResult:
        """Make one statement. Raises ``TransactionError`` for one that handlers may not make."""

    @abstractmethod
    async def executemany(self, sql: str, rows: Iterable[Parameters]) -> StatementResult:
        """Make one statement for each of the rows."""

    @abstractmethod
    async def commit(self, write: RunWrite) -> str | None:
        """Apply the write as ``save`` does, and commit it with the statements: all of it or nothing.

        Returns and raises as ``save``. Any other exception, ``TransactionError`` among them, says that the
        database refused the statements: it fails the attempt. A caller that is cancelled waits
        for the end, which ``committed`` tells.
        """

    @abstractmethod
    async def rollback(self) -> None:
        """Take back what was not committed; the statement under way is interrupted.

        Calling it again, before the first statement or after ``commit`` does nothing.
        """


class WorkflowStorage(ABC):
    """Keeps runs. Implement it for another database; ``flux_engine.testing`` has the tests it must pass.

    Every verb is atomic, durable when it returns, and safe to call from many tasks at once. Whatever
    goes wrong in the database itself is raised as ``StorageError``.
    """

    @abstractmethod
    async def open(self) -> None:
        """Make the store ready, creating or migrating it. Calling it again does nothing."""

    @abstractmethod
    async def close(self) -> None:
        """Release what ``open`` took, after the writes under way. Calling it again does nothing."""

    @abstractmethod
    async def create(
        self, record: RunRecord, entries: Sequence[JournalEntry] = (), blobs: Blobs = ()
    ) -> None:
        """Add a run, its first entries and the blobs they refer to.

        Raises ``RunExistsError`` when the id is taken, or when a run of the same workflow has the same
        idempotency key; ``find_by_key`` returns that one.
        """

    @abstractmethod
    async def claim(self, run_id: str, *, fence: int, owner: str, lease_until: float | None = None) -> int:
        """Give the run a new owner, if its fencing token is still ``fence``; return its new token.

        A request to the owner before is dropped. Raises ``RunNotFoundError``, and ``OwnershipLostError``
        when the token has changed since.
        """

    @abstractmethod
    async def save(self, write: RunWrite) -> str | None:
        """Apply one write; return the request that waits for the run's owner, if there is one.

        The request stays until the run is claimed or a write leaves it without an owner: that one
        clears it and returns ``None``. Raises ``RunNotFoundError``, and ``OwnershipLostError`` for an
        old token.
        """

    @abstractmethod
    async def request(self, run_id: str, what: str) -> None:
        """Ask the run's owner for something, in place of what was asked before.

        The owner is told by ``save`` and by ``renew``. Raises ``RunNotFoundError``.
        """

    @abstractmethod
    async def renew(self, owner: str, lease_until: float) -> dict[str, str]:
        """Extend the lease of every run of ``owner``; return the requests that wait for them, by run id."""

    @abstractmethod
    async def find(self, run_id: str) -> RunRecord | None:
        """Return the run, or ``None``."""

    @abstractmethod
    async def find_by_key(self, workflow: str, key: str) -> RunRecord | None:
        """Return the run of ``workflow`` with this idempotency key, or ``None``."""

    @abstractmethod
    async def journal(self, run_id: str) -> list[JournalEntry]:
        """Return the run's entries by growing ``seq``; empty when there is no such run."""

    @abstractmethod
    async def blobs(self, run_id: str) -> dict[str, str]:
        """Return the blobs that the run's writes named, by hash; empty when there is no such run."""

    @abstractmethod
    async def list(self, query: RunQuery) -> list[RunRow]:
        """Return a page of runs, newest first; of runs created at the same time the greater id first."""

    @abstractmethod
    async def delete(self, run_id: str) -> bool:
        """Remove the run, its journal and the blobs no other run uses; return whether there was one."""

    @abstractmethod
    async def revision(self) -> int:
        """Return a number that differs after any write, by any process. Cheap enough to ask often."""

    def transaction(self, run_id: str) -> RunTransaction:
        """Return a new transaction for one attempt of a commit of this run: ``ctx.tx``.

        Optional: a store without transactions leaves it out, and ``ctx.tx`` raises ``TransactionError``.
        """
        raise TransactionError(
            f"{type(self).__name__} has no transactions, so run {run_id!r} has no ctx.tx: use SQLiteStorage, "
            "or make the side effect safe to repeat with ctx.idempotency_key."
        )

"""A store that lives as long as its object: for tests, and for runs nobody needs afterwards."""

from bisect import bisect_left, insort
from collections.abc import Sequence

from msgspec.structs import replace

from flux_engine.errors import OwnershipLostError, RunExistsError, RunNotFoundError
from flux_engine.storage.base import (
    JournalEntry,
    RunQuery,
    RunRecord,
    RunRow,
    RunWrite,
    WorkflowStorage,
)


class _Run:
    """A run as it is kept: the record as created or claimed, and the write that came last since then.

    Writes are folded into the record only when somebody reads it, so that a step costs no copy.
    """

    __slots__ = ("entries", "fence", "graph", "owner", "record", "write")

    def __init__(self, record: RunRecord, entries: Sequence[JournalEntry]) -> None:
        self.record = record
        self.fence = record.fence
        self.owner = record.owner
        self.graph = record.graph
        self.write: RunWrite | None = None
        self.entries = {entry.seq: entry for entry in entries}

    def current(self) -> RunRecord:
        write = self.write
        if write is None:
            return replace(self.record, fence=self.fence, owner=self.owner)
        return replace(
            self.record,
            status=write.status,
            updated_at=write.updated_at,
            completed_at=write.completed_at,
            current_step=write.current_step,
            error=write.error,
            error_summary=write.error_summary,
            owner=self.owner,
            fence=self.fence,
            graph=self.graph,
        )

    def row(self) -> RunRow:
        head = self.write or self.record
        return RunRow(
            id=self.record.id,
            workflow=self.record.workflow,
            status=head.status,
            created_at=self.record.created_at,
            updated_at=head.updated_at,
            completed_at=head.completed_at,
            current_step=head.current_step,
            error=head.error_summary,
            owner=self.owner,
        )


class MemoryStorage(WorkflowStorage):
    """Keeps runs in this object. They survive ``close`` and a new ``open``, but not the process."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._order: list[tuple[float, str]] = []
        self._keys: dict[tuple[str, str], str] = {}
        self._revision = 0

    async def open(self) -> None:
        """Do nothing: there is nothing to make ready."""

    async def close(self) -> None:
        """Do nothing: the runs stay."""

    async def create(self, record: RunRecord, entries: Sequence[JournalEntry] = ()) -> None:
        """Add a run. Raises ``RunExistsError`` when the id, or the workflow's idempotency key, is taken."""
        if record.id in self._runs:
            raise RunExistsError(f"A run with the id {record.id!r} exists already. Choose another id.")
        if record.idempotency_key is not None:
            key = (record.workflow, record.idempotency_key)
            if key in self._keys:
                raise RunExistsError(
                    f"Workflow {record.workflow!r} has a run with the idempotency key "
                    f"{record.idempotency_key!r} already: {self._keys[key]!r}."
                )
            self._keys[key] = record.id
        self._runs[record.id] = _Run(record, entries)
        insort(self._order, (record.created_at, record.id))
        self._revision += 1

    async def claim(self, run_id: str, *, fence: int, owner: str) -> int:
        """Give the run a new owner, if its fencing token is still ``fence``; return its new token."""
        run = self._owned(run_id, fence)
        run.owner = owner
        run.fence = fence + 1
        self._revision += 1
        return run.fence

    async def save(self, write: RunWrite) -> None:
        """Apply one write, whole. Costs no more than its entries."""
        run = self._owned(write.run_id, write.fence)
        run.write = write
        run.owner = write.owner
        if write.graph is not None:
            run.graph = write.graph
        entries = run.entries
        for entry in write.entries:
            entries[entry.seq] = entry
        self._revision += 1

    async def find(self, run_id: str) -> RunRecord | None:
        """Return the run, or ``None``."""
        run = self._runs.get(run_id)
        return None if run is None else run.current()

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """Return the run's entries by growing ``seq``."""
        run = self._runs.get(run_id)
        return [] if run is None else [run.entries[seq] for seq in sorted(run.entries)]

    async def list(self, query: RunQuery) -> list[RunRow]:
        """Return a page of runs, newest first."""
        end = len(self._order) if query.before is None else bisect_left(self._order, query.before)
        rows: list[RunRow] = []
        for position in range(end - 1, -1, -1):
            if len(rows) >= query.limit:
                break
            created_at, run_id = self._order[position]
            if query.since is not None and created_at < query.since:
                break
            row = self._runs[run_id].row()
            if _matches(row, query):
                rows.append(row)
        return rows

    async def delete(self, run_id: str) -> bool:
        """Remove the run and its journal; return whether there was one."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return False
        del self._order[bisect_left(self._order, (run.record.created_at, run_id))]
        if run.record.idempotency_key is not None:
            del self._keys[run.record.workflow, run.record.idempotency_key]
        self._revision += 1
        return True

    async def revision(self) -> int:
        """Return the number of writes so far."""
        return self._revision

    def _owned(self, run_id: str, fence: int) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise RunNotFoundError(f"There is no run {run_id!r}. Nothing was written.")
        if run.fence != fence:
            raise OwnershipLostError(
                f"Run {run_id!r} has the fencing token {run.fence}, not {fence}: another owner took it over. "
                "Nothing was written."
            )
        return run


def _matches(row: RunRow, query: RunQuery) -> bool:
    if query.workflow is not None and row.workflow != query.workflow:
        return False
    if query.statuses and row.status not in query.statuses:
        return False
    if query.until is not None and row.created_at >= query.until:
        return False
    if not query.text:
        return True
    text = query.text.lower()
    return any(text in part.lower() for part in (row.id, row.workflow, row.error or ""))

"""A store that lives as long as its object: for tests, and for runs nobody needs afterwards."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from flux_engine.errors import OwnershipLostError, RunExistsError, RunNotFoundError
from flux_engine.storage.base import (
    Blobs,
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

    __slots__ = ("blobs", "entries", "fence", "graph", "lease_until", "owner", "record", "request", "write")

    def __init__(self, record: RunRecord, entries: Sequence[JournalEntry]) -> None:
        self.record = record
        self.fence = record.fence
        self.owner = record.owner
        self.lease_until = record.lease_until
        self.request = record.request
        self.graph = record.graph
        self.blobs: set[str] = set()
        self.write: RunWrite | None = None
        self.entries = {entry.seq: entry for entry in entries}

    def current(self) -> RunRecord:
        head = self.write or self.record
        return replace(
            self.record,
            status=head.status,
            updated_at=head.updated_at,
            completed_at=head.completed_at,
            current_step=head.current_step,
            error=head.error,
            error_summary=head.error_summary,
            owner=self.owner,
            fence=self.fence,
            lease_until=self.lease_until,
            request=self.request,
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
            lease_until=self.lease_until,
        )


class MemoryStorage(WorkflowStorage):
    """Keeps runs in this object. They survive ``close`` and a new ``open``, but not the process."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._order: list[tuple[float, str]] = []
        self._keys: dict[tuple[str, str], str] = {}
        self._owned: dict[str, set[str]] = {}
        self._blobs: dict[str, str] = {}
        self._uses: Counter[str] = Counter()
        self._revision = 0

    async def open(self) -> None:
        """Do nothing: there is nothing to make ready."""

    async def close(self) -> None:
        """Do nothing: the runs stay."""

    async def create(
        self, record: RunRecord, entries: Sequence[JournalEntry] = (), blobs: Blobs = ()
    ) -> None:
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
        run = self._runs[record.id] = _Run(record, entries)
        self._register(record.id, record.owner)
        self._keep(run, blobs)
        insort(self._order, (record.created_at, record.id))
        self._revision += 1

    async def claim(self, run_id: str, *, fence: int, owner: str, lease_until: float | None = None) -> int:
        """Give the run a new owner, if its fencing token is still ``fence``; return its new token."""
        run = self._held(run_id, fence)
        self._hand_over(run, owner)
        run.lease_until = lease_until
        run.request = None
        run.fence = fence + 1
        self._revision += 1
        return run.fence

    async def save(self, write: RunWrite) -> str | None:
        """Apply one write, whole; return the request that waits for the run's owner.

        Costs no more than its entries.
        """
        run = self._runs.get(write.run_id)
        if run is None or run.fence != write.fence:
            run = self._held(write.run_id, write.fence)
        run.write = write
        run.lease_until = write.lease_until
        if write.owner != run.owner:
            self._hand_over(run, write.owner)
        if write.owner is None:
            run.request = None
        if write.graph is not None:
            run.graph = write.graph
        entries = run.entries
        for entry in write.entries:
            entries[entry.seq] = entry
        if write.blobs:
            self._keep(run, write.blobs)
        self._revision += 1
        return run.request

    async def request(self, run_id: str, what: str) -> None:
        """Ask the run's owner for something, in place of what was asked before."""
        self._known(run_id).request = what
        self._revision += 1

    async def renew(self, owner: str, lease_until: float) -> dict[str, str]:
        """Extend the leases of ``owner``; return the requests that wait for it, by run id."""
        requests = {}
        for run_id in self._owned.get(owner, ()):
            run = self._runs[run_id]
            run.lease_until = lease_until
            if run.request is not None:
                requests[run_id] = run.request
            self._revision += 1
        return requests

    async def find(self, run_id: str) -> RunRecord | None:
        """Return the run, or ``None``."""
        run = self._runs.get(run_id)
        return None if run is None else run.current()

    async def find_by_key(self, workflow: str, key: str) -> RunRecord | None:
        """Return the run of ``workflow`` with this idempotency key, or ``None``."""
        run_id = self._keys.get((workflow, key))
        return None if run_id is None else self._runs[run_id].current()

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """Return the run's entries by growing ``seq``."""
        run = self._runs.get(run_id)
        return [] if run is None else [run.entries[seq] for seq in sorted(run.entries)]

    async def blobs(self, run_id: str) -> dict[str, str]:
        """Return the blobs that the run's writes named, by hash."""
        run = self._runs.get(run_id)
        return {} if run is None else {digest: self._blobs[digest] for digest in run.blobs}

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
        """Remove the run, its journal and the blobs no other run uses; return whether there was one."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return False
        del self._order[bisect_left(self._order, (run.record.created_at, run_id))]
        if run.record.idempotency_key is not None:
            del self._keys[run.record.workflow, run.record.idempotency_key]
        self._unregister(run_id, run.owner)
        for digest in run.blobs:
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest], self._blobs[digest]
        self._revision += 1
        return True

    async def revision(self) -> int:
        """Return the number of writes so far."""
        return self._revision

    def _known(self, run_id: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise RunNotFoundError(f"There is no run {run_id!r}. Nothing was written.")
        return run

    def _held(self, run_id: str, fence: int) -> _Run:
        run = self._known(run_id)
        if run.fence != fence:
            raise OwnershipLostError(
                f"Run {run_id!r} has the fencing token {run.fence}, not {fence}: another owner took it over. "
                "Nothing was written."
            )
        return run

    def _hand_over(self, run: _Run, owner: str | None) -> None:
        self._unregister(run.record.id, run.owner)
        self._register(run.record.id, owner)
        run.owner = owner

    def _register(self, run_id: str, owner: str | None) -> None:
        if owner is not None:
            self._owned.setdefault(owner, set()).add(run_id)

    def _unregister(self, run_id: str, owner: str | None) -> None:
        if owner is not None:
            runs = self._owned[owner]
            runs.discard(run_id)
            if not runs:
                del self._owned[owner]

    def _keep(self, run: _Run, blobs: Blobs) -> None:
        for digest, text in blobs:
            if digest not in run.blobs:
                run.blobs.add(digest)
                self._uses[digest] += 1
                self._blobs.setdefault(digest, text)


def _matches(row: RunRow, query: RunQuery) -> bool:
    if query.workflow is not None and row.workflow != query.workflow:
        return False
    if query.statuses and row.status not in query.statuses:
        return False
    if query.until is not None and row.created_at >= query.until:
        return False
    if query.id_prefix and not row.id.startswith(query.id_prefix):
        return False
    if not query.text:
        return True
    text = query.text.lower()
    searched = (row.id, row.workflow, row.current_step or "", row.error or "")
    return any(text in part.lower() for part in searched)

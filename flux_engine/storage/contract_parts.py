"""The runs, writes and assertions that the contract of a store is written with."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from msgspec.structs import replace

from flux_engine.errors import FluxError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord, RunWrite, WorkflowStorage

NOON = 1_767_268_800.0
"""2026-01-01 12:00 UTC, when the runs of these tests begin."""


def a_run(run_id: str = "run-1", **fields: Any) -> RunRecord:
    """Return a run that has just begun, but for ``fields``."""
    record = RunRecord(
        id=run_id,
        workflow="orders",
        status=RunStatus.RUNNING,
        input='{"order_id": "1"}',
        graph='{"steps": []}',
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(record, **fields)


def an_entry(seq: int, **fields: Any) -> JournalEntry:
    """Return the start of an attempt, but for ``fields``."""
    entry = JournalEntry(
        seq=seq,
        kind=EntryKind.ATTEMPT,
        step=f"step-{seq}",
        status=StepStatus.RUNNING,
        attempt=1,
        started_at=NOON + seq,
    )
    return replace(entry, **fields)


def a_write(run_id: str = "run-1", *, fence: int = 0, **fields: Any) -> RunWrite:
    """Return a step forward, but for ``fields``."""
    return replace(
        RunWrite(run_id=run_id, fence=fence, status=RunStatus.RUNNING, updated_at=NOON + 60), **fields
    )


class ContractPart:
    """What the parts of the contract share.

    ``lease_tolerance`` is how many seconds ``lease_until`` may come back too early or too late: 0, unless the
    leases of a store end by a clock of its own, to which they are converted and back.
    """

    lease_tolerance = 0.0

    async def make_storage(self) -> WorkflowStorage:
        """Return a new and empty store that is not open yet. Override it."""
        raise NotImplementedError(f"{type(self).__name__} needs a method make_storage().")

    @asynccontextmanager
    async def storage(self) -> AsyncIterator[WorkflowStorage]:
        """Open a new store for one test."""
        storage = await self.make_storage()
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()

    def same_run(self, found: RunRecord | None, expected: RunRecord) -> None:
        """Fail unless the records are equal, their leases within the tolerance."""
        if found is not None and found.lease_until is not None and expected.lease_until is not None:
            self.same_lease(found.lease_until, expected.lease_until)
            found = replace(found, lease_until=expected.lease_until)
        same(found, expected)

    def same_lease(self, found: float | None, expected: float | None) -> None:
        """Fail unless the leases end at the same time, within the tolerance."""
        if found is None or expected is None or abs(found - expected) > self.lease_tolerance:
            same(found, expected)


def same(found: object, expected: object) -> None:
    """Fail with both values unless they are equal."""
    if found != expected:
        raise AssertionError(f"The store gave\n  {found!r}\ninstead of\n  {expected!r}")


@contextmanager
def refused(error: type[FluxError]) -> Iterator[None]:
    """Fail unless the block raises ``error``."""
    try:
        yield
    except error:
        return
    raise AssertionError(f"The store did not raise {error.__name__}.")

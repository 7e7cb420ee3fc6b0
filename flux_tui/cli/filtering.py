"""Listing runs through the filter of the dashboard."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from flux_engine import FluxEngine, RunStatus
from flux_engine.execution import RunSummary
from flux_engine.storage.base import RunQuery
from flux_tui.cli.errors import UsageError
from flux_tui.model.filter import Filter, compile_filter
from flux_tui.model.run import RunRowView

_PAGE: Final = 500


class ListedStatus(StrEnum):
    """A status as a listing shows it; an interrupted run is stored as a running one."""

    PENDING = "pending"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def fits(self, run: RunSummary) -> bool:
        """Say whether a run is to be listed."""
        return run.interrupted if self is ListedStatus.INTERRUPTED else run.status == self.value

    @property
    def stored(self) -> RunStatus:
        """The status that such runs have in the store."""
        return RunStatus.RUNNING if self is ListedStatus.INTERRUPTED else RunStatus(self.value)


def filter_of(text: str) -> Filter:
    """Return the filter that a text is. Raises ``UsageError`` for one that makes no sense."""
    chosen = compile_filter(text)
    if chosen.problem:
        raise UsageError(f"--filter {chosen.problem}")
    return chosen


async def filtered(
    engine: FluxEngine,
    chosen: Filter,
    workflow: str | None,
    statuses: Sequence[ListedStatus],
    limit: int,
) -> list[RunSummary]:
    """Return the newest runs that the filter lets through, and that fit the other options."""
    query = chosen.query(RunQuery(workflow=workflow, statuses=tuple(each.stored for each in statuses)))
    found: list[RunSummary] = []
    before: RunSummary | None = None
    while len(found) < limit:
        page = await engine.list(
            workflow=query.workflow,
            status=query.statuses or None,
            text=query.text,
            since=_datetime(query.since),
            until=_datetime(query.until),
            before=before,
            limit=_PAGE if chosen or statuses else limit,
        )
        found += [
            run
            for run in page
            if chosen.matches(_row(run))
            and (workflow is None or run.name == workflow)
            and (not statuses or any(each.fits(run) for each in statuses))
        ]
        if len(page) < _PAGE:
            break
        before = page[-1]
    return found[:limit]


def _datetime(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _row(run: RunSummary) -> RunRowView:
    began, ended = run.created_at.timestamp() * 1000, run.completed_at
    return RunRowView(
        id=run.id,
        workflow=run.name,
        status="interrupted" if run.interrupted else run.status.value,
        started_at=began,
        updated_at=run.updated_at.timestamp() * 1000,
        duration=None if ended is None else max(ended.timestamp() * 1000 - began, 0.0),
        current_step=run.current_step,
        error=run.error,
    )

"""Looking at runs: the verbs of the engine that change nothing."""

from collections.abc import Iterable
from datetime import datetime

from flux_engine.arguments import as_statuses
from flux_engine.clock import as_datetime
from flux_engine.engine_parts import EngineParts
from flux_engine.execution import RunStatus, RunSummary, WorkflowState
from flux_engine.journal import is_interrupted, workflow_state
from flux_engine.large_values import read_journal
from flux_engine.storage.base import RunQuery


class RunQueries(EngineParts):
    """The part of ``FluxEngine`` that reads."""

    async def get(self, run_id: str) -> WorkflowState:
        """Return a whole run. Raises ``RunNotFoundError``.

        Values of classes that this process has not loaded come as plain dicts.
        """
        await self.init()
        record = await self._custody.find(run_id)
        entries = await read_journal(self._storage, run_id)
        return workflow_state(record, entries, now=self._clock.now())

    async def find(self, workflow: str, idempotency_key: str) -> WorkflowState | None:
        """Return the run that the workflow of this name has for a key given to ``execute``, if any."""
        await self.init()
        record = await self._storage.find_by_key(workflow, idempotency_key)
        return None if record is None else await self.get(record.id)

    async def list(
        self,
        *,
        workflow: str | None = None,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        text: str | None = None,
        id_prefix: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: RunSummary | None = None,
        limit: int = 50,
    ) -> list[RunSummary]:
        """Return summaries of runs, newest first.

        Args:
            workflow: only runs of the workflow with this name.
            status: only runs with this status, or one of these.
            text: only runs with this in their id, workflow, current step or error, ignoring case.
            id_prefix: only runs whose id begins like this, in this very case.
            since: only runs created at this time or later.
            until: only runs created before this time.
            before: the last row of the page before this one.
            limit: how many at most.
        """
        await self.init()
        rows = await self._storage.list(
            RunQuery(
                workflow=workflow,
                statuses=as_statuses(status),
                text=text,
                id_prefix=id_prefix,
                since=None if since is None else since.timestamp(),
                until=None if until is None else until.timestamp(),
                before=None if before is None else (before.created_at.timestamp(), before.id),
                limit=limit,
            )
        )
        return [
            RunSummary(
                id=row.id,
                name=row.workflow,
                status=row.status,
                created_at=as_datetime(row.created_at),
                updated_at=as_datetime(row.updated_at),
                completed_at=as_datetime(row.completed_at),
                current_step=row.current_step,
                error=row.error,
                interrupted=is_interrupted(row.status, row.owner, row.lease_until, self._clock.now()),
            )
            for row in rows
        ]

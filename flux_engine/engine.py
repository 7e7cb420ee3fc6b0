"""The engine: what can be done with runs.

Every verb that moves a run is the same two things: choose where it starts, then drive it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from flux_engine.announcer import Announcer, Sink
from flux_engine.arguments import Workflow, as_definition, as_edit, as_statuses, check_parts, check_run_id
from flux_engine.builder import check_retries, check_timeout
from flux_engine.clock import Clock, IdFactory, SystemClock, as_datetime, new_id
from flux_engine.custody import Custody
from flux_engine.definition import DataT, InputT
from flux_engine.errors import (
    FluxError,
    InvalidTransitionError,
)
from flux_engine.execution import RetryPlan, RunStatus, RunSummary, WorkflowState
from flux_engine.hooks import Hooks
from flux_engine.journal import Progress, RetryDetail, is_interrupted, stored_steps, workflow_state
from flux_engine.live_run import LiveRun
from flux_engine.logger import FluxLogger, default_logger
from flux_engine.plan import check_unchanged, first_open_step, merged_steps, plan_retry
from flux_engine.problems import Problems
from flux_engine.result import FluxResult
from flux_engine.services import Services
from flux_engine.storage.base import EntryKind, JournalEntry, RunQuery, RunRecord, WorkflowStorage
from flux_engine.storage.memory import MemoryStorage

Scope = Literal["downstream", "only"]


class FluxEngine:
    """Runs workflows and keeps what they do.

    Args:
        storage: where runs are kept; by default in memory.
        trace: a sink for trace events: any object with ``emit(event)``.
        default_retries: retries of a step that does not say.
        default_timeout: seconds for each attempt of a step that does not say; ``None`` for no limit.
        logger: by default ``logging.getLogger("flux_engine")``.
        on: hooks.
        clock, ids: where time and the ids of runs come from.
        stop_grace: seconds that ``close`` gives handlers to come to the end of their step.
    """

    def __init__(
        self,
        *,
        storage: WorkflowStorage | None = None,
        trace: Sink | None = None,
        default_retries: int = 3,
        default_timeout: float | None = 30.0,
        logger: FluxLogger | None = None,
        on: Hooks | None = None,
        clock: Clock | None = None,
        ids: IdFactory = new_id,
        stop_grace: float = 5.0,
    ) -> None:
        check_retries("FluxEngine(default_retries=…)", default_retries)
        check_timeout("FluxEngine(default_timeout=…)", default_timeout)
        check_parts(storage, trace, on)
        chosen_logger = logger or default_logger()
        self._storage = storage if storage is not None else MemoryStorage()
        self._trace = trace
        self._clock: Clock = clock or SystemClock()
        self._ids = ids
        self._stop_grace = stop_grace
        self._problems = Problems(chosen_logger)
        self._services = Services(
            storage=self._storage,
            announcer=Announcer(trace, on or Hooks(), self._problems),
            clock=self._clock,
            logger=chosen_logger,
            default_retries=default_retries,
            default_timeout=default_timeout,
        )
        self._custody = Custody(self._services)
        self._opened = False

    # Opening and closing

    async def init(self) -> None:
        """Open the store. Every verb does so when needed; calling it again does nothing."""
        if not self._opened:
            await self._storage.open()
            self._opened = True
            self._services.stopping = False

    async def close(self) -> None:
        """Hand back the runs in hand at their next step boundary, then close the store and the sink.

        A handler that has not come to its end after ``stop_grace`` seconds is cancelled. What is not
        done stays in the store and can be resumed.
        """
        self._services.stopping = True
        await self._custody.release_all(self._stop_grace)
        if self._opened:
            self._opened = False
            await self._storage.close()
        close_sink = getattr(self._trace, "close", None)
        if callable(close_sink):
            pending = close_sink()
            if asyncio.iscoroutine(pending):
                await pending

    async def __aenter__(self) -> Self:
        await self.init()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def problems(self) -> Mapping[str, int]:
        """How often hooks and the trace sink have failed, by kind."""
        return dict(self._problems.counts)

    # Moving runs

    async def execute(
        self,
        workflow: Workflow[InputT, DataT],
        input: Any = None,  # noqa: A002 - the field's word
        *,
        run_id: str | None = None,
    ) -> FluxResult[DataT]:
        """Start a run and drive it to its end.

        A step that fails makes the result ``failed``; nothing is raised for it.

        Raises:
            InvalidInputError: the input or the ``run_id`` does not fit; no run was created.
            RunExistsError: there is a run with this ``run_id``.
            StorageError: the store failed; the run stays as it was last stored.
        """
        definition = as_definition(workflow)
        check_run_id(definition.name, run_id)
        value = definition.validate_input(input)
        text = definition.encode_input(value)
        await self.init()
        now = self._clock.now()
        record = RunRecord(
            id=run_id if run_id is not None else self._ids(),
            workflow=definition.name,
            status=RunStatus.PENDING,
            input=text,
            graph=definition.graph_json,
            created_at=now,
            updated_at=now,
            owner=self._custody.owner_text,
            fence=1,
        )
        self._custody.check_unused(record.id)
        progress = Progress(merged_steps(definition, ()))
        run = LiveRun(self._services, definition, record, progress, input=value, is_new=True)
        run.start()
        return await self._custody.drive(run)

    async def resume(
        self,
        workflow: Workflow[InputT, DataT],
        run_id: str,
        *,
        from_step: str | int | None = None,
        allow_changed: bool = False,
    ) -> FluxResult[DataT]:
        """Go on with a run that was interrupted, paused or failed, from its first step that is not done.

        With ``from_step`` (name or index) it goes back to that step first, as ``retry_step`` does.

        Raises:
            RunNotFoundError, WorkflowMismatchError, RunBusyError, StepNotFoundError.
            InvalidTransitionError: the run is completed or cancelled, and ``from_step`` is not given.
            DefinitionChangedError: steps before the starting point have changed.
        """
        definition = as_definition(workflow)
        await self.init()
        if from_step is not None:
            return await self.retry_step(
                definition, run_id, definition.step(from_step).name, allow_changed=allow_changed
            )
        async with self._custody.of(run_id):
            record, progress = await self._custody.load(definition, run_id)
            if record.status in (RunStatus.COMPLETED, RunStatus.CANCELLED):
                raise InvalidTransitionError(
                    f"Run {run_id} is {record.status}, so there is nothing to go on with. "
                    "Use retry_step, or resume with from_step, to run it again from a step."
                )
            stored = [step.name for step in stored_steps(record)]
            start = first_open_step(stored, progress)
            check_unchanged(definition, stored, start, allow_changed=allow_changed)
            meta = {"resume": True, "fromStep": stored[start] if start < len(stored) else None}
            run = await self._custody.take(definition, record, progress, meta=meta)
            return await self._custody.drive(run)

    async def retry_step(
        self,
        workflow: Workflow[InputT, DataT],
        run_id: str,
        step: str,
        *,
        scope: Scope = "downstream",
        data: Mapping[str, Any] | None = None,
        ignore_when: bool = False,
        keep_commits: bool = False,
        allow_changed: bool = False,
    ) -> FluxResult[DataT]:
        """Run a step again, with the data as it was before it.

        Args:
            workflow: the workflow of the run, as it is now.
            run_id: a run that has ended, is paused, or was interrupted.
            step: the step to start from.
            scope: ``"downstream"`` also runs all that depend on it, ``"only"`` that step alone.
            data: merged over the restored data, and recorded as an edit.
            ignore_when: run the step though its condition is false.
            keep_commits: use the recorded results of completed commits behind the step.
            allow_changed: go ahead though steps before this one have changed.

        Raises:
            RunNotFoundError, WorkflowMismatchError, RunBusyError, StepNotFoundError.
            DefinitionChangedError: steps before this one have changed.
            SerializationError, InvalidInputError: the edit cannot be stored or does not fit ``.data(type)``.
        """
        definition = as_definition(workflow)
        target = definition.step(step)
        edit = as_edit(definition, data)
        await self.init()
        async with self._custody.of(run_id):
            record, progress = await self._custody.load(definition, run_id)
            stored = [step.name for step in stored_steps(record)]
            start = stored.index(target.name) if target.name in stored else target.index
            check_unchanged(definition, stored, start, allow_changed=allow_changed)
            plan = plan_retry(
                definition, run_id, progress, target.name, scope=scope, keep_commits=keep_commits
            )
            entry = JournalEntry(
                seq=progress.last_seq + 1,
                kind=EntryKind.RETRY,
                step=target.name,
                started_at=self._clock.now(),
                changes=None if edit is None else edit.encode(),
                detail=RetryDetail(scope=scope, superseded=plan.runs_again).encode(),
            )
            meta = {
                "retry": True,
                "fromStep": target.name,
                "scope": scope,
                "runsAgain": plan.runs_again,
                "edit": None if edit is None else msgspec.Raw(edit.encode().encode()),
            }
            if ignore_when:
                definition = definition.without_condition(target.name)
            run = await self._custody.take(
                definition,
                record,
                progress,
                meta=meta,
                entry=entry,
                only=plan.runs_again if scope == "only" else None,
            )
            return await self._custody.drive(run)

    async def preview_retry(
        self,
        workflow: Workflow[Any, Any],
        run_id: str,
        step: str,
        *,
        scope: Scope = "downstream",
        keep_commits: bool = False,
    ) -> RetryPlan:
        """Return what ``retry_step`` would do, without doing it. Raises as it would for unknown names."""
        definition = as_definition(workflow)
        definition.step(step)
        await self.init()
        _, progress = await self._custody.look(definition, run_id)
        return plan_retry(definition, run_id, progress, step, scope=scope, keep_commits=keep_commits)

    def execute_sync(
        self,
        workflow: Workflow[InputT, DataT],
        input: Any = None,  # noqa: A002 - the field's word
        *,
        run_id: str | None = None,
    ) -> FluxResult[DataT]:
        """``execute`` for programs without an event loop; opens and closes the engine around the run."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise FluxError(
                "execute_sync was called inside an event loop: use 'await engine.execute(…)' there"
            )

        async def run() -> FluxResult[DataT]:
            async with self:
                return await self.execute(workflow, input, run_id=run_id)

        return asyncio.run(run())

    # Looking at runs

    async def get(self, run_id: str) -> WorkflowState:
        """Return a whole run. Raises ``RunNotFoundError``.

        Values of classes that this process has not loaded come as plain dicts.
        """
        await self.init()
        record = await self._custody.find(run_id)
        return workflow_state(record, await self._storage.journal(run_id))

    async def list(
        self,
        *,
        workflow: str | None = None,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        text: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: RunSummary | None = None,
        limit: int = 50,
    ) -> list[RunSummary]:
        """Return summaries of runs, newest first.

        Args:
            workflow: only runs of the workflow with this name.
            status: only runs with this status, or one of these.
            text: only runs with this in their id, workflow or error, ignoring case.
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
                interrupted=is_interrupted(row.status, row.owner),
            )
            for row in rows
        ]

    async def delete(self, run_id: str) -> None:
        """Remove a run and its history. Raises ``RunNotFoundError``, and ``RunBusyError`` while it moves."""
        await self.init()
        async with self._custody.of(run_id):
            self._custody.check_free(await self._custody.find(run_id))
            await self._storage.delete(run_id)

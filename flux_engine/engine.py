"""The engine: what can be done with runs.

Every verb that moves a run is the same two things: choose where it starts, then drive it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from flux_engine.arguments import Workflow, as_definition, as_edit, check_run_id
from flux_engine.control import RunControl
from flux_engine.definition import DataT, InputT, WorkflowDefinition
from flux_engine.errors import (
    FluxError,
    InvalidTransitionError,
    RunExistsError,
)
from flux_engine.execution import RetryPlan, RunStatus
from flux_engine.journal import RetryDetail, stored_steps
from flux_engine.plan import (
    check_goes_on,
    check_unchanged,
    copy_before,
    edit_entry,
    next_step,
    plan_retry,
)
from flux_engine.queries import RunQueries
from flux_engine.replay import RunReplay
from flux_engine.result import FluxResult
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord
from flux_engine.trace.events import EventType, TraceEvent

Scope = Literal["downstream", "only"]


class FluxEngine(RunControl, RunQueries, RunReplay):
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
        lease: seconds after which others may take over the runs of an engine that is not heard of, because
            its process hangs or its host is cut off; a dead process on the same host loses them at once.
        pause_before: asked with workflow, run id and step before a step starts, when its condition is true;
            if it says so, the run pauses there. It is not asked about the steps that a run which is sent on
            begins with, nor about further attempts.
    """

    async def execute(
        self,
        workflow: Workflow[InputT, DataT],
        input: Any = None,  # noqa: A002 - the field's word
        *,
        run_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> FluxResult[DataT]:
        """Start a run and drive it to its end.

        A step that fails makes the result ``failed``; nothing is raised for it. When the workflow has a run
        with this ``idempotency_key`` already, that one is returned as it stands: awaited when this engine
        has it in hand, and gone on with when it was left in the middle.

        Raises:
            InvalidInputError: the input or the ``run_id`` does not fit; no run was created.
            RunExistsError: there is a run with this ``run_id``.
            StorageError: the store failed; the run stays as it was last stored.
        """
        definition = as_definition(workflow)
        check_run_id(definition.name, run_id)
        text = definition.encode_input(definition.validate_input(input))
        await self.init()
        record = self._new_record(
            definition, text, self._ids() if run_id is None else run_id, idempotency_key
        )
        if idempotency_key is not None:
            return await self._execute_once(definition, record, idempotency_key)
        return await self._custody.drive(self._custody.adopt(definition, record, ()))

    async def _execute_once(
        self, definition: WorkflowDefinition[InputT, DataT], record: RunRecord, key: str
    ) -> FluxResult[DataT]:
        """Start the run, or find the one that has the key."""
        found = await self._storage.find_by_key(definition.name, key)
        if found is None:
            try:
                return await self._custody.drive(self._custody.adopt(definition, record, ()))
            except RunExistsError:
                found = await self._storage.find_by_key(definition.name, key)
                if found is None:  # it is the id that is taken
                    raise
        return await self._custody.rejoin(definition, found)

    def _new_record(
        self, definition: WorkflowDefinition[Any, Any], text: str, run_id: str, key: str | None = None
    ) -> RunRecord:
        now = self._clock.now()
        return RunRecord(
            id=run_id,
            workflow=definition.name,
            status=RunStatus.PENDING,
            input=text,
            graph=definition.graph_json,
            created_at=now,
            updated_at=now,
            owner=self._custody.owner_text,
            fence=1,
            idempotency_key=key,
        )

    async def resume(
        self,
        workflow: Workflow[InputT, DataT],
        run_id: str,
        *,
        from_step: str | int | None = None,
        data: Mapping[str, Any] | None = None,
        allow_changed: bool = False,
    ) -> FluxResult[DataT]:
        """Go on with a run that was interrupted, paused or failed, from its first step that is not done.

        With ``from_step`` (name or index) it goes back to that step first, as ``retry_step`` does. ``data``
        is merged over the data that the step it goes on with finds, and recorded as an edit.

        Raises:
            RunNotFoundError, WorkflowMismatchError, RunBusyError, StepNotFoundError.
            InvalidTransitionError: the run is completed or cancelled, and ``from_step`` is not given; or
                there is ``data`` and no step left to find it.
            DefinitionChangedError: steps before the starting point have changed.
            SerializationError, InvalidInputError: the edit cannot be stored or does not fit ``.data(type)``.
        """
        definition = as_definition(workflow)
        edit = as_edit(definition, data)
        await self.init()
        if from_step is not None:
            target = definition.step(from_step).name
            return await self.retry_step(definition, run_id, target, data=data, allow_changed=allow_changed)
        async with self._custody.of(run_id):
            record, progress = await self._custody.load(definition, run_id)
            if record.status in (RunStatus.COMPLETED, RunStatus.CANCELLED):
                raise InvalidTransitionError(
                    f"Run {run_id} is {record.status}, so there is nothing to go on with. "
                    "Use retry_step, or resume with from_step, to run it again from a step."
                )
            start = check_goes_on(definition, stored_steps(record), progress, allow_changed=allow_changed)
            meta: dict[str, Any] = {"resume": True, "fromStep": start}
            entry = None
            if edit is not None:
                meta["fromStep"] = step = next_step(definition, run_id, progress)
                meta["edit"] = msgspec.Raw(edit.encode().encode())
                entry = edit_entry(progress.last_seq + 1, step, edit, self._clock.now())
            run = await self._custody.take(definition, record, progress, meta=meta, edit=entry)
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
            MaskedRunError: the run was imported from an export whose secrets were masked.
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

    async def fork(
        self,
        workflow: Workflow[InputT, DataT],
        run_id: str,
        step: str,
        *,
        data: Mapping[str, Any] | None = None,
    ) -> FluxResult[DataT]:
        """Start a new run that begins at a step of another one, with the data that step was given there.

        The results of the steps before it are copied; the other run stays as it is. ``data`` is merged over
        the copied data. Raises as ``retry_step``.
        """
        definition = as_definition(workflow)
        definition.step(step)
        edit = as_edit(definition, data)
        await self.init()
        record, progress = await self._custody.look(definition, run_id)
        copied = copy_before(definition, progress, step, edit=edit, now=self._clock.now())
        new = self._new_record(definition, record.input, self._ids())
        meta = {"forkedFrom": run_id, "fromStep": step}
        run = self._custody.adopt(definition, new, copied, meta=meta)
        return await self._custody.drive(run)

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

    async def delete(self, run_id: str) -> None:
        """Remove a run and its history from the store; the trace is told, and keeps what it had.

        Raises ``RunNotFoundError``, and ``RunBusyError`` while the run moves.
        """
        await self.init()
        async with self._custody.of(run_id):
            record = await self._custody.find(run_id)
            self._custody.check_free(record)
            if not await self._storage.delete(run_id):
                return
            event = TraceEvent(
                type=EventType.WORKFLOW_DELETE,
                timestamp=round(self._clock.now() * 1000),
                workflow_id=run_id,
                workflow_name=record.workflow,
            )
            await self._services.announcer.tell([event])

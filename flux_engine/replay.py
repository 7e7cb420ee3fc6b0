"""Replay: a recorded run once more, in memory, to see whether today's code does the same.

The plain steps run again, one after the other in the order of their recorded results, each given the data
that it was given then. Commits and signals are answered from the record. Nothing is stored or announced.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from msgspec import structs

from flux_engine.arguments import Workflow, as_definition, as_statuses
from flux_engine.clock import Clock
from flux_engine.codec import decode
from flux_engine.context import Context
from flux_engine.data import Data
from flux_engine.definition import StepDefinition, WorkflowDefinition
from flux_engine.engine_parts import EngineParts
from flux_engine.errors import FatalError, InvalidInputError, MaskedRunError, WaitTimeoutError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.hooks import Hooks
from flux_engine.journal import Progress, StepProgress, decode_error, stored_steps
from flux_engine.logger import FluxSilentLogger
from flux_engine.plan import merged_steps
from flux_engine.replay_report import (
    ReplayReport,
    StepDifference,
    data_differences,
    error_differences,
    output_differences,
)
from flux_engine.running.announcer import Announcer
from flux_engine.running.live_run import LiveRun
from flux_engine.running.problems import Problems
from flux_engine.running.services import Services
from flux_engine.running.step_run import StepEnd, StepRun
from flux_engine.steps_graph import Schedule
from flux_engine.storage.base import RunQuery, RunRecord
from flux_engine.storage.memory import MemoryStorage

_OUTCOMES = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED})
_PAGE = 500


class RunReplay(EngineParts):
    """The part of ``FluxEngine`` that runs recorded runs again."""

    async def replay(
        self, workflow: Workflow[Any, Any], run_id: str, *, ignore: Collection[str] = ()
    ) -> ReplayReport:
        """Run the plain steps of a run again on its recorded input, and report what differs.

        Commits are never executed: what they changed and returned is taken from the record, and so are the
        payloads of signals. Back-offs and durable sleeps pass at once. The replay goes as far as the record
        does, and not past a step that fails. Nothing is written, traced or told to hooks.

        Args:
            workflow: the workflow of the run, as it is now.
            run_id: the run.
            ignore: top-level keys of data, and of outputs that are dicts, that may differ.

        Raises:
            RunNotFoundError, WorkflowMismatchError.
            MaskedRunError: the values of the run are masked.
        """
        definition = as_definition(workflow)
        await self.init()
        record, recorded = await self._custody.look(definition, run_id)
        try:
            definition.decode_input(record.input)
        except InvalidInputError as error:
            difference = StepDifference(step="", kind="error", key="input", replayed=str(error))
            return _report(record, [difference])
        replaying = _Replay(_private(self._services, record.created_at), definition, record, recorded)
        await replaying.run()
        differences = list(replaying.differences(frozenset(ignore)))
        return _report(record, differences, replaying.outcomes())

    async def replay_all(
        self,
        workflow: Workflow[Any, Any],
        *,
        status: RunStatus | str | None = RunStatus.COMPLETED,
        limit: int | None = None,
        ignore: Collection[str] = (),
    ) -> list[ReplayReport]:
        """Replay the runs of a workflow, the newest first: at most ``limit`` of those with this status.

        ``status=None`` takes runs of every status. Runs whose values are masked are passed over. Raises as
        ``replay``.
        """
        definition = as_definition(workflow)
        await self.init()
        reports: list[ReplayReport] = []
        before: tuple[float, str] | None = None
        while limit is None or len(reports) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(reports))
            query = RunQuery(
                workflow=definition.name, statuses=as_statuses(status), before=before, limit=size
            )
            rows = await self._storage.list(query)
            for row in rows:
                with suppress(MaskedRunError):  # nothing to compare with
                    reports.append(await self.replay(definition, row.id, ignore=ignore))
            if len(rows) < size:
                break
            before = (rows[-1].created_at, rows[-1].id)
        return reports


class _PassingClock(Clock):
    """A clock on which every sleep is over at once."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._passed = 0.0

    def now(self) -> float:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self._passed += max(0.0, seconds)
        await asyncio.sleep(0)


class _RecordedFailureError(FatalError):
    """Raised in place of a commit that failed in the record."""


class _Replay:
    """One replay: where it stands, and what it is held against."""

    def __init__(
        self,
        services: Services,
        definition: WorkflowDefinition[Any, Any],
        record: RunRecord,
        recorded: Progress,
    ) -> None:
        self._definition = definition
        self._recorded = recorded
        self._was = {step.name for step in stored_steps(record)}
        self._unanswered: list[str] = []
        for step in recorded.steps.values():
            if step.status is StepStatus.COMPENSATED and step.last is not None and step.last.status:
                step.status = step.last.status  # as it was when the steps after it ran
        self._progress = self._prepared()
        new = RunRecord(
            id=record.id,
            workflow=record.workflow,
            status=RunStatus.PENDING,
            input=record.input,
            graph=definition.graph_json,
            created_at=record.created_at,
            updated_at=record.created_at,
        )
        self._live = LiveRun(services, definition, new, self._progress, is_new=True)

    def _prepared(self) -> Progress:
        """Return the progress of a run that has done nothing, with the edits of the record.

        While the steps are still those of the record, each has the place it had, which says what it sees.
        """
        progress = Progress(merged_steps(self._definition, ()))
        same = [name for name in self._recorded.steps if name in self._was] == list(self._definition.names)
        for name, step in progress.steps.items():
            then = self._recorded.steps[name]
            step.edit = then.edit
            if same and _outcome(then) is not None:
                step.ordinal, step.seen = then.ordinal, then.seen
        return progress

    async def run(self) -> None:
        """Take every step that the record has an outcome of, as far as the replay gets."""
        self._live.start()
        try:
            await self._take_all()
        finally:
            self._live.limit.close()

    async def _take_all(self) -> None:
        schedule = Schedule(self._definition.after, done=())
        ready = schedule.take()
        while ready:
            name = min(ready, key=self._place)
            ready.remove(name)
            if await self._take(name):
                schedule.end(name)
                ready += schedule.take()

    def _place(self, name: str) -> tuple[bool, int, int]:
        """Return what orders steps that are ready: results as recorded, then what failed."""
        step = self._recorded.steps[name]
        index = self._definition.step(name).index
        return _outcome(step) is StepStatus.FAILED, step.ordinal or 0, index

    async def _take(self, name: str) -> bool:
        """Run one step, or answer it; return whether it is done."""
        step = self._definition.step(name)
        then = self._recorded.steps[name]
        if _outcome(then) is None and name in self._was:
            if step.commit:
                self._unanswered.append(name)
            return False
        end = await StepRun(self._live, self._replayed(step, then)).take()
        if end is StepEnd.WAITS:
            end = self._answer_wait(step, then)
        return end is StepEnd.DONE

    def _replayed(self, step: StepDefinition, then: StepProgress) -> StepDefinition:
        """Return the step as it is replayed: a commit gives what is recorded."""
        if not step.commit:
            return step

        async def answer(ctx: Context[Any, Any]) -> Any:
            outcome = _outcome(then)
            if outcome is StepStatus.COMPLETED and then.last is not None:
                _repeat_changes(ctx.data, then)
                return None if then.last.output is None else decode(then.last.output)
            if outcome is None or outcome is StepStatus.SKIPPED:
                self._unanswered.append(step.name)
            raise _RecordedFailureError

        return structs.replace(step, handler=answer, commit=False, timeout=None)

    def _answer_wait(self, step: StepDefinition, then: StepProgress) -> StepEnd:
        """Send the recorded payload, or let the wait run out as it did; else the step goes on waiting."""
        signal = {step: signal for signal, step in self._live.waiting_signals().items()}[step.name]
        error = None if then.last is None else decode_error(then.last.error)
        if _outcome(then) is StepStatus.COMPLETED and signal in self._recorded.signals and then.last:
            self._live.deliver(signal, then.last.output or "null")
            return StepEnd.DONE
        if error is not None and error.type == WaitTimeoutError.__name__:
            self._live.ledger.expire(step)
            return StepEnd.FAILED
        return StepEnd.WAITS

    # What differs

    def outcomes(self) -> dict[str, str]:
        """Return how each step came out that was got to; ``answered`` is a commit from the record."""
        found: dict[str, str] = {}
        for name, step in self._progress.steps.items():
            outcome = _outcome(step)
            if outcome is not None and name not in self._unanswered:
                answered = outcome is StepStatus.COMPLETED and self._definition.step(name).commit
                found[name] = "answered" if answered else str(outcome)
        return found

    def differences(self, ignore: frozenset[str]) -> Iterator[StepDifference]:
        """Compare step by step, in the order of the workflow."""
        found = [each for name in self._definition.names for each in self._compare(name, ignore)]
        yield from found
        for name in self._definition.names:
            if name in self._unanswered and (found or self._was_begun(name)):
                recorded = str(self._recorded.steps[name].status) if name in self._was else None
                yield StepDifference(step=name, kind="missing", recorded=recorded)
        for name, step in self._recorded.steps.items():
            if name not in self._definition.names and (outcome := _outcome(step)) is not None:
                yield StepDifference(step=name, kind="missing", recorded=str(outcome))

    def _was_begun(self, name: str) -> bool:
        """Say whether a commit without a recorded result is more than the point where the run stopped."""
        return self._recorded.steps[name].last is not None or name not in self._was

    def _compare(self, name: str, ignore: frozenset[str]) -> Iterator[StepDifference]:
        then, now = self._recorded.steps[name], self._progress.steps[name]
        if now.last is None or name in self._unanswered:
            return
        if name not in self._was:
            yield StepDifference(step=name, kind="added", replayed=str(now.status))
            return
        before, after = _outcome(then), now.status
        if before != after:
            yield StepDifference(step=name, kind="status", recorded=str(before), replayed=str(after))
        if self._definition.step(name).commit:
            return
        yield from error_differences(then, now)
        if before is StepStatus.COMPLETED and after is StepStatus.COMPLETED:
            yield from data_differences(self._recorded, self._progress, name, ignore)
            yield from output_differences(then, now, ignore)


def _private(services: Services, start: float) -> Services:
    """Return services that keep to themselves: in memory, told to nobody, and never waiting."""
    logger = FluxSilentLogger()
    return structs.replace(
        services,
        storage=MemoryStorage(),
        announcer=Announcer(None, Hooks(), Problems(logger)),
        clock=_PassingClock(start),
        logger=logger,
        deadlines=None,
        stopping=False,
    )


def _report(
    record: RunRecord, differences: list[StepDifference], outcomes: dict[str, str] | None = None
) -> ReplayReport:
    return ReplayReport(
        run_id=record.id,
        workflow=record.workflow,
        ok=not differences,
        steps=tuple(differences),
        outcomes=outcomes or {},
    )


def _outcome(step: StepProgress) -> StepStatus | None:
    """Return how a step came out, whatever was taken back later; ``None`` when it did not."""
    status = None if step.last is None else step.last.status
    return status if status in _OUTCOMES else None


def _repeat_changes(data: Any, then: StepProgress) -> None:
    """Make the recorded changes of a step again."""
    changes = then.delta()
    for key, text in changes.set.items():
        if isinstance(data, Data):
            data[key] = decode(text)
        else:
            setattr(data, key, decode(text))
    for key in changes.deleted:
        if isinstance(data, Data):
            data.pop(key, None)
        elif hasattr(data, key):
            delattr(data, key)

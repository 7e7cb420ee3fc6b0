"""Replay: a recorded run once more, in memory, to see whether today's code does the same.

The plain steps run again, one after the other in the order of their recorded results, each given the data
that it was given then. Commits and signals are answered from the record. Nothing is stored or announced.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from flux_engine.announcer import Announcer
from flux_engine.arguments import Workflow, as_definition, as_statuses
from flux_engine.clock import Clock
from flux_engine.codec import decode, decode_plain
from flux_engine.context import Context
from flux_engine.data import Data
from flux_engine.definition import StepDefinition, WorkflowDefinition
from flux_engine.engine_parts import EngineParts
from flux_engine.errors import FatalError, InvalidInputError, WaitTimeoutError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.hooks import Hooks
from flux_engine.journal import Progress, StepProgress, decode_error, stored_steps
from flux_engine.live_run import LiveRun
from flux_engine.logger import FluxSilentLogger
from flux_engine.plan import merged_steps
from flux_engine.problems import Problems
from flux_engine.services import Services
from flux_engine.step_run import StepEnd, StepRun
from flux_engine.steps_graph import Schedule
from flux_engine.storage.base import RunQuery, RunRecord
from flux_engine.storage.memory import MemoryStorage

DifferenceKind = Literal["status", "data", "output", "error", "missing", "added"]

_OUTCOMES = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED})
_PAGE = 500


class StepDifference(Struct, frozen=True, kw_only=True):
    """Where a replay came to something else than the record.

    ``kind`` says in what: the ``status`` of the step, the ``data`` under ``key``, its ``output``, its
    ``error``. ``missing`` is a step that the record has and the replay could not get to: a commit without a
    recorded result, or a step that the workflow no longer has. ``added`` is one that the record does not
    have. An ``error`` of no step is an input that no longer fits. Values of data and output are as
    ``engine.get`` has them, ``None`` when there is none.
    """

    step: str
    kind: DifferenceKind
    key: str | None = None
    recorded: Any = None
    replayed: Any = None

    def __str__(self) -> str:
        what = self.kind if self.key is None else f"{self.kind} {self.key!r}"
        return f"{self.step or 'input'}: {what}: {_short(self.recorded)} → {_short(self.replayed)}"


class ReplayReport(Struct, frozen=True, kw_only=True):
    """What a replay found: ``ok`` when it came to what is recorded, else the differences in ``steps``."""

    run_id: str
    workflow: str
    ok: bool
    steps: tuple[StepDifference, ...] = ()

    def __str__(self) -> str:
        if self.ok:
            return f"{self.workflow} {self.run_id}: as recorded"
        count = f"{len(self.steps)} difference{'s' if len(self.steps) != 1 else ''} (recorded → replayed)"
        return "\n".join([f"{self.workflow} {self.run_id}: {count}", *(f"  {step}" for step in self.steps)])


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
        """
        definition = as_definition(workflow)
        await self.init()
        record, recorded = await self._custody.look(definition, run_id)
        try:
            value = definition.decode_input(record.input)
        except InvalidInputError as error:
            difference = StepDifference(step="", kind="error", key="input", replayed=str(error))
            return _report(record, [difference])
        replaying = _Replay(_private(self._services, record.created_at), definition, record, recorded, value)
        await replaying.run()
        return _report(record, list(replaying.differences(frozenset(ignore))))

    async def replay_all(
        self,
        workflow: Workflow[Any, Any],
        *,
        status: RunStatus | str | None = RunStatus.COMPLETED,
        limit: int | None = None,
        ignore: Collection[str] = (),
    ) -> list[ReplayReport]:
        """Replay the runs of a workflow, the newest first: at most ``limit`` of those with this status.

        ``status=None`` takes runs of every status. Raises as ``replay``.
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
            reports += [await self.replay(definition, row.id, ignore=ignore) for row in rows]
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
        value: Any,
    ) -> None:
        self._definition = definition
        self._recorded = recorded
        self._was = {step.name for step in stored_steps(record)}
        self._unanswered: list[str] = []
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
        self._live = LiveRun(services, definition, new, self._progress, input=value, is_new=True)

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
        yield from _error_difference(name, then, now)
        if before is StepStatus.COMPLETED and after is StepStatus.COMPLETED:
            yield from self._data_differences(name, ignore)
            yield from _output_difference(name, then, now, ignore)

    def _data_differences(self, name: str, ignore: frozenset[str]) -> Iterator[StepDifference]:
        """Compare what the data is after the step, for the keys that it changed then or now."""
        recorded, replayed = _texts_after(self._recorded, name), _texts_after(self._progress, name)
        for key in _touched(self._recorded, name) | _touched(self._progress, name):
            a, b = recorded.get(key), replayed.get(key)
            if key not in ignore and not _same(a, b):
                yield StepDifference(step=name, kind="data", key=key, recorded=_plain(a), replayed=_plain(b))


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


def _report(record: RunRecord, differences: list[StepDifference]) -> ReplayReport:
    return ReplayReport(
        run_id=record.id, workflow=record.workflow, ok=not differences, steps=tuple(differences)
    )


def _outcome(step: StepProgress) -> StepStatus | None:
    """Return how a step came out, whatever was taken back later; ``None`` when it did not."""
    status = None if step.last is None else step.last.status
    return status if status in _OUTCOMES else None


def _repeat_changes(data: Any, then: StepProgress) -> None:
    """Make the recorded changes of a step again."""
    changes = _delta(then)
    untyped = isinstance(data, Data)
    for key, text in changes.set.items():
        data.__setitem__(key, decode(text)) if untyped else setattr(data, key, decode(text))
    for key in changes.deleted:
        if untyped:
            data.pop(key, None)
        elif hasattr(data, key):
            delattr(data, key)

"""A run in hand, and the one loop that every verb ends in.

A verb chooses where to start and makes a ``LiveRun``; ``drive`` takes it from there to its end.
"""

import asyncio
import contextlib
import functools
from collections.abc import Sequence
from typing import Any, Generic, Literal

from flux_engine.codec import decode
from flux_engine.context import Context
from flux_engine.data import RunData
from flux_engine.definition import DataT, InputT, StepDefinition, WorkflowDefinition
from flux_engine.errors import FluxError, OwnershipLostError, RunNotFoundError
from flux_engine.execution import ErrorInfo, RunStatus, StepHistory, StepStatus
from flux_engine.journal import INTERRUPTED, Progress, StepProgress, decode_error, history_of, waiting_of
from flux_engine.ledger import Ledger
from flux_engine.logger import FluxLogger
from flux_engine.result import FluxResult
from flux_engine.running.compensation import Compensations
from flux_engine.running.deadlines import Deadline
from flux_engine.running.merged_data import MergedData
from flux_engine.running.pausing import Stops
from flux_engine.running.services import Services
from flux_engine.running.step_logger import StepLogger
from flux_engine.running.step_run import StepEnd, StepRun, wake
from flux_engine.running.time_limit import TimeLimit
from flux_engine.steps_graph import Schedule
from flux_engine.storage.base import JournalEntry, RunRecord
from flux_engine.transaction import AttemptTransaction

Request = Literal["pause", "cancel"]

_NOTHING_TO_DO = Schedule({}, done=())


class LiveRun(Generic[InputT, DataT]):
    """A run that this engine owns and moves.

    ``only`` limits it to some steps; ``is_new`` says that the store does not have it yet. ``released`` says
    that it was asked to let go, ``stranded`` that it could not, as the store was away.
    """

    def __init__(
        self,
        services: Services,
        definition: WorkflowDefinition[InputT, DataT],
        record: RunRecord,
        progress: Progress,
        *,
        only: Sequence[str] | None = None,
        is_new: bool = False,
    ) -> None:
        self.id = record.id
        self.workflow = record.workflow
        self.idempotency_key = record.idempotency_key
        self.released = False
        self.stranded = False
        self.services = services
        self.ledger = Ledger(services, record, progress, graph=definition.graph_json, is_new=is_new)
        self.merged = MergedData(progress)
        self.limit = TimeLimit()
        self.shape = definition.shape
        self._definition = definition
        self.progress = progress
        self._input = record.input
        self._only = only
        self._request: Request | None = None
        self._failed = False
        self._left: set[str] = set()
        self._roused = False
        self._concluding = False
        self._has_waits = False
        self._in_flight: dict[str, StepRun] = {}
        self._news = asyncio.Event()
        self._schedule = _NOTHING_TO_DO
        self._loop = asyncio.get_running_loop()
        self.stops = Stops(services.pause_before, record.workflow, record.id)
        self._began = services.clock.monotonic()

    # What handlers and steps see of the run

    @property
    def status(self) -> RunStatus:
        """The status of the run."""
        return self.ledger.status

    @property
    def halting(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._failed or self._request is not None or self.ledger.asked is not None or self._is_let_go

    @property
    def _is_let_go(self) -> bool:
        return self.released or self.services.stopping

    @property
    def _asked(self) -> str | None:
        return self._request or self.ledger.asked

    @property
    def resting(self) -> bool:
        """Whether all it does is let time pass, so that stopping it loses nothing."""
        return bool(self._in_flight) and all(step.resting for step in self._in_flight.values())

    @property
    def concluding(self) -> bool:
        """Whether it has stopped moving and only has to say so: too late to reach into it."""
        return self._concluding

    def history(self) -> tuple[StepHistory, ...]:
        """Return an entry for each step."""
        return history_of(self.progress, decode)

    def output_text(self, step: str) -> str | None:
        """Return what a completed step's handler returned, as JSON text."""
        found = self.progress.steps.get(step)
        if found is None or found.status is not StepStatus.COMPLETED or found.last is None:
            return None
        return found.last.output or "null"

    def steps_with_output(self) -> list[str]:
        """Return the names of the completed steps."""
        return [s.name for s in self.progress.steps.values() if s.status is StepStatus.COMPLETED]

    def signal_texts(self) -> dict[str, str]:
        """Return the payloads of received signals, as JSON text by name."""
        return self.progress.signals

    def watch(self, step: str, until: float) -> None:
        """Have the step fail when it still waits for its signal at that time."""
        if self.services.deadlines is not None:
            self.services.deadlines.add(Deadline(until, self.id, step, self._definition))

    def context(
        self,
        step: StepDefinition,
        data: RunData,
        attempt: int,
        transaction: AttemptTransaction | None = None,
    ) -> Context[InputT, DataT]:
        """Return the context for one attempt of a step."""
        return Context(
            run=self,
            data=self.shape.open(data),
            step=step,
            attempt=attempt,
            transaction=transaction,
        )

    def read_input(self) -> Any:
        """Return a copy of the input, as the type that the workflow states."""
        return self._definition.decode_input(self._input)

    def logger_of(self, step: StepDefinition, attempt: int) -> FluxLogger:
        """Return the logger of an attempt. May be called from any thread."""
        return StepLogger(self.services, self, step, attempt, self._loop)

    # What is asked of it from outside

    def start(self, meta: dict[str, Any] | None = None, entry: JournalEntry | None = None) -> None:
        """Enter the start of the run, or that it goes on, with the journal entry that sent it back."""
        if self.status is RunStatus.RUNNING and self.progress.compensating and entry is None:
            self._failed = any(step.status is StepStatus.FAILED for step in self.progress.steps.values())
        held = [step.name for step in self._definition.steps if step.on_crash == "hold"]
        self.ledger.start(meta, entry, hold=held if entry is None else ())
        if self.progress.last_seq:
            self.merged = MergedData(self.progress)
        if self.stops.asked_for and self.ledger.is_stored:
            self.stops.passed = frozenset(self._begin_schedule().take())

    def ask(self, request: Request) -> None:
        """Ask the run to pause at the next step boundary, or to cancel at once."""
        self._request = request
        self._roused = self.resting
        self._news.set()

    def release(self) -> None:
        """Ask the run to stop at its next step boundary, and to be let go as it is."""
        self.released = True
        self._news.set()

    def waiting_signals(self) -> dict[str, str]:
        """Return the steps that wait for signals, by the name of the signal."""
        return self.progress.waiting_signals()

    def deliver(self, signal: str, payload: str) -> None:
        """Hand the payload (JSON text) to the step that waits for the signal; the run goes on with it."""
        name = self.waiting_signals().get(signal)
        if name is None:
            return
        step = self._definition.step(name)
        waiting = waiting_of(self.progress.steps[name].last)
        if waiting is not None and waiting.in_doubt and decode(payload) == "again":
            self.ledger.repeat(step)
            self._schedule.again(name)
        else:
            self.ledger.receive(step, signal, payload)
            self._note(name, wake(self, step, payload))
        self._news.set()

    def expire(self, step: str) -> None:
        """Fail a step whose signal did not come in time; one that waits no longer, or for longer, goes on."""
        waiting = waiting_of(self.progress.steps[step].last)
        if waiting is None or waiting.until is None or waiting.until > self.services.clock.now():
            return
        self.ledger.expire(self._definition.step(step))
        self._failed = True
        self._news.set()

    # The loop

    async def drive(self) -> FluxResult[DataT]:
        """Take the run to its end, or to the point where it waits or is asked to stop.

        Raises ``StorageError`` when the store fails; the run then stays as it was last stored.
        """
        try:
            await self._advance()
            self._concluding = True
            await self._conclude()
        except asyncio.CancelledError:
            if (self._asked == "cancel" or self._roused) and not self.ledger.is_unclear:
                await self._stopped()
                return self.result()
            await self._hand_back()
            raise
        except Exception:
            await self._try_to_hand_back()
            raise
        finally:
            self.limit.close()
        return self.result()

    def result(self) -> FluxResult[DataT]:
        """Return where the run stands."""
        return FluxResult(
            id=self.id,
            name=self.workflow,
            status=self.status,
            data=self._final_data(),
            history=functools.partial(history_of, self.progress, decode),
            duration=self.services.clock.monotonic() - self._began,
            error=self.ledger.error,
            exception=self.ledger.exception,
        )

    async def _advance(self) -> None:
        """Begin steps as they become ready, until none is left that could be begun."""
        self._schedule = self._begin_schedule()
        tasks: dict[asyncio.Task[StepEnd], str] = {}
        try:
            while True:
                self._news.clear()
                names = [] if self.halting or self.stops.before else self._schedule.take()
                if len(names) == 1 and not tasks and not self._has_waits:
                    await self._take_alone(names[0])
                    continue
                ready = [(name, StepRun(self, self._definition.by_name[name])) for name in names]
                for name, step in ready:
                    tasks[asyncio.ensure_future(self._fly_beside(name, step))] = name
                if not tasks:
                    return
                if self.ledger.pending and not ready:  # what begins now stores it by itself
                    await self.ledger.commit()
                for task in await self._first_of(tasks):
                    self._note(tasks.pop(task), task.result())
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _begin_schedule(self) -> Schedule:
        done = [step.name for step in self.progress.steps.values() if step.status.done]
        definition = self._definition
        return Schedule(definition.after, done=done, only=self._only, following=definition.following)

    async def _first_of(self, tasks: dict[asyncio.Task[StepEnd], str]) -> set[asyncio.Task[StepEnd]]:
        """Wait until a step ends, or there is news from outside."""
        news = asyncio.ensure_future(self._news.wait())
        try:
            ended, _ = await asyncio.wait([*tasks, news], return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        return {task for task in tasks if task in ended}

    async def _take_alone(self, name: str) -> None:
        """Take a step that is alone on its way in the task of the run: all the steps of a chain."""
        step = self._in_flight[name] = StepRun(self, self._definition.by_name[name])
        try:
            end = await step.take()
        finally:
            del self._in_flight[name]
        self._note(name, end)

    async def _fly(self, name: str, step: StepRun) -> StepEnd:
        self._in_flight[name] = step
        try:
            return await step.take()
        finally:
            del self._in_flight[name]

    async def _fly_beside(self, name: str, step: StepRun) -> StepEnd:
        step.limit = TimeLimit()
        try:
            return await self._fly(name, step)
        finally:
            step.limit.close()

    def _note(self, name: str, end: StepEnd) -> None:
        if end is StepEnd.DONE:
            self._schedule.end(name)
        elif end is StepEnd.FAILED:
            self._failed = True
        elif end is StepEnd.WAITS:
            self._has_waits = True
        elif end is StepEnd.LEFT:
            self._left.add(name)

    # How it ends

    async def _conclude(self) -> None:
        steps = [self.progress.steps[name] for name in self._definition.names]
        if self.ledger.error is None:
            self.ledger.error = _earlier_failure([step for step in steps if step.name not in self._left])
        if self.ledger.error is not None:
            if self._failed:
                await self._compensations().run()
                self.merged.forget()
            await self._end(RunStatus.FAILED)
        elif all(step.status.done for step in steps):
            await self._end(RunStatus.COMPLETED)
        elif self._asked == "cancel":
            await self._stopped()
        elif self.stops.before:
            await self._end(RunStatus.PAUSED, meta={"before": self.stops.before})
        elif self._is_let_go:
            await self._hand_back()
        elif self._asked is None and any(waiting_of(step.last) for step in steps):
            await self._end(RunStatus.SUSPENDED)
        else:
            await self._end(RunStatus.PAUSED)

    def _compensations(self) -> Compensations:
        return Compensations(self, self._definition)

    async def _end(self, status: RunStatus, *, meta: dict[str, Any] | None = None) -> None:
        hook = {RunStatus.FAILED: "workflow_error", RunStatus.COMPLETED: "workflow_complete"}.get(status)
        self.ledger.end(
            status,
            duration=self.services.clock.monotonic() - self._began,
            data=self._final_data() if hook in self.services.announcer.hears else None,
            meta=meta,
        )
        await self.ledger.commit(release=True)

    async def _stopped(self) -> None:
        """End what was cancelled while something was under way, or paused while it let time pass."""
        status = RunStatus.CANCELLED if self._asked == "cancel" else RunStatus.PAUSED
        kind = "Cancelled" if status is RunStatus.CANCELLED else INTERRUPTED
        self.ledger.cancel_attempts(kind, f"the run was {status}", waiting=status is RunStatus.CANCELLED)
        await asyncio.shield(asyncio.ensure_future(self._end(status)))

    async def _hand_back(self) -> None:
        """Let go of the run at once. It stays as it is, and any engine can recover it."""
        if not self.ledger.is_unclear:  # else what the store has of the attempt is not to be written over
            self.ledger.interrupt()
        await asyncio.shield(asyncio.ensure_future(self.ledger.commit(release=True)))

    async def _try_to_hand_back(self) -> None:
        if not self.ledger.is_stored:
            return
        self.ledger.keep_quiet()
        try:
            await self._hand_back()
        except OwnershipLostError:
            return
        except FluxError as error:
            self.stranded = True
            self.services.logger.warning(f"run {self.id} could not be released: {error}")

    async def let_go(self) -> None:
        """Let go of a stranded run. Raises as the store does."""
        with contextlib.suppress(OwnershipLostError, RunNotFoundError):  # somebody has it, or it is gone
            await self.ledger.commit(release=True)
        self.stranded = False

    def _final_data(self) -> Any:
        return self.shape.result(self.merged.current())


def _earlier_failure(steps: Sequence[StepProgress]) -> ErrorInfo | None:
    """Return the error of a step that had failed before and was not run this time."""
    failed = next((step for step in steps if step.status is StepStatus.FAILED), None)
    return None if failed is None or failed.last is None else decode_error(failed.last.error)

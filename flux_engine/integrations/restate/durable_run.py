"""A run that Restate moves: the engine's own run, with its attempts, timers and waits kept by Restate.

What is decided, entered and told is the engine's. It is moved by one coroutine and no tasks, so that a
replay takes the same way.
"""

import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct, structs

from flux_engine.definition import StepDefinition, WorkflowDefinition
from flux_engine.execution import RunStatus
from flux_engine.integrations.restate.actions import Actions, InvocationCancelledError, Pending
from flux_engine.integrations.restate.durable_clock import DurableClock
from flux_engine.integrations.restate.durable_steps import (
    AttemptInterruptedError,
    DurableCompensations,
    DurableStep,
)
from flux_engine.integrations.restate.once_told import HeldAnnouncer
from flux_engine.integrations.restate.recorded import Recorded, decode_recorded
from flux_engine.integrations.restate.run_state import promise_name
from flux_engine.journal import INTERRUPTED, Progress, waiting_of
from flux_engine.running.live_run import LiveRun
from flux_engine.running.services import Services
from flux_engine.running.step_run import StepEnd
from flux_engine.storage.base import RunRecord


class Delivery(Struct, frozen=True, kw_only=True):
    """What a signal resolves a promise with: its payload as JSON text, and when it came."""

    payload: str
    at: float


class OpenWait(Struct, kw_only=True, eq=False):
    """A step that waits for a signal, and for its time-out if it has one."""

    step: str
    signal: str
    promise: Pending
    timer: Pending | None = None
    until: float = 0.0


class Execution(Struct, kw_only=True, eq=False):
    """What the passes of a run share while one execution of its handler lasts.

    ``waits`` are by step. ``told_of`` is the execution whose interruption the trace was told last.
    """

    services: Services
    actions: Actions
    clock: DurableClock
    announcer: HeldAnnouncer
    definition: WorkflowDefinition[Any, Any]
    waits: dict[str, OpenWait] = {}
    told_of: str = ""


class DurableRun(LiveRun[Any, Any]):
    """One pass of a run: from its start, or from the end of a wait, until it ends or only waits."""

    def __init__(
        self, execution: Execution, record: RunRecord, progress: Progress, *, is_new: bool = False
    ) -> None:
        super().__init__(execution.services, execution.definition, record, progress, is_new=is_new)
        self.actions = execution.actions
        self.clock = execution.clock
        self._execution = execution
        self._record = record
        self._until: dict[str, float] = {}
        self._flights: dict[Pending, tuple[str, Coroutine[Any, Any, StepEnd]]] = {}

    def watch(self, step: str, until: float) -> None:
        """Have the step fail when it still waits for its signal at that time."""
        self._until[step] = until

    async def go(self) -> None:
        """Take the run to its end, or to the point where it waits. Raises ``InvocationCancelledError``."""
        try:
            await self._advance()
        finally:
            for _, coroutine in self._flights.values():
                coroutine.close()
        while True:
            try:
                await self._through(self._conclude())
                break
            except AttemptInterruptedError as interruption:
                self._tell_recovery(interruption)
        await self._execution.announcer.release()

    async def woken(self) -> "DurableRun":
        """Wait until a wait of the run ends, and return the pass that goes on with that."""
        pending, value = await self.actions.first_of(self._open_waits())
        wait = self._wait_of(pending)
        record = structs.replace(self._record, status=self.status)
        run = DurableRun(self._execution, record, self.progress)
        del self._execution.waits[wait.step]
        meta: dict[str, Any] = {"resume": True, "fromStep": wait.step}
        if pending is wait.promise:
            delivery = self._received(value)
            run.start(meta | {"signal": wait.signal})
            run.deliver(wait.signal, delivery.payload)
        else:
            self.clock.advance(wait.until)
            run.start(meta | {"expired": True})
            run.expire(wait.step)
        return run

    async def cancel(self) -> None:
        """End the run: the handlers under way are cancelled, and nothing further is begun."""
        await self.actions.stop_handlers()
        with suppress(InvocationCancelledError):  # asked once more
            await self._through(self._note_time())
        self.ledger.cancel_attempts("Cancelled", "the run was cancelled", waiting=True)
        await self._end(RunStatus.CANCELLED)
        await self._execution.announcer.release()

    async def _note_time(self) -> None:
        async def now() -> bytes:
            return Recorded(at=time.time()).encode()

        self.clock.advance(decode_recorded(await self.actions.begin("cancelled", now)).at)

    # The loop

    async def _advance(self) -> None:
        """Begin steps as they become ready, until none is left that could be begun."""
        self._schedule = self._begin_schedule()
        while True:
            names = [] if self.halting else self._schedule.take()
            ready = [(name, DurableStep(self, self._definition.by_name[name])) for name in names]
            for name, step in ready:
                self._move(name, step.take(), None)
            if ready:
                continue
            if not self._flights:
                return
            if self.ledger.pending:
                await self.ledger.commit()
            await self._execution.announcer.release()
            self._take(*await self.actions.first_of([*self._flights, *self._open_waits()]))

    def _take(self, pending: Pending, value: Any) -> None:
        """Go on with what has come to its end."""
        if pending in self._flights:
            self._move(*self._flights.pop(pending), value)
            return
        wait = self._wait_of(pending)
        del self._execution.waits[wait.step]
        if pending is wait.promise:
            self.deliver(wait.signal, self._received(value).payload)
        else:
            self.clock.advance(wait.until)
            self.expire(wait.step)

    def _move(self, name: str, step: Coroutine[Any, Any, StepEnd], value: Any) -> None:
        """Move a step to the next thing that it awaits from Restate, or to its end."""
        try:
            self._flights[step.send(value)] = (name, step)
        except StopIteration as ended:
            self._note(name, ended.value)
            if ended.value is StepEnd.WAITS:
                self._open_wait(name)
        except AttemptInterruptedError as interruption:
            self._go_on_after(interruption)

    async def _through(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Move a coroutine to its end."""
        value = None
        try:
            while True:
                pending = coroutine.send(value)
                await self._execution.announcer.release()
                _, value = await self.actions.first_of([pending])
        except StopIteration:
            return
        finally:
            coroutine.close()

    def _compensations(self) -> DurableCompensations:
        return DurableCompensations(self, self._definition)

    # What is waited for

    def _open_waits(self) -> list[Pending]:
        waits = self._execution.waits.values()
        return [each for wait in waits for each in (wait.promise, wait.timer) if each is not None]

    def _wait_of(self, pending: Pending) -> OpenWait:
        waits = self._execution.waits.values()
        return next(wait for wait in waits if pending is wait.promise or pending is wait.timer)

    def _open_wait(self, name: str) -> None:
        last = self.progress.steps[name].last
        waiting = waiting_of(last)
        if last is None or waiting is None or waiting.signal is None or name in self._execution.waits:
            return
        promise = self.actions.promise(promise_name(waiting.signal, last.seq))
        wait = OpenWait(step=name, signal=waiting.signal, promise=promise)
        if name in self._until:
            wait.until = self._until[name]
            wait.timer = self.actions.timer(wait.until - self.clock.now())
        self._execution.waits[name] = wait

    def _received(self, value: bytes) -> Delivery:
        delivery = msgspec.json.decode(value, type=Delivery)
        self.clock.advance(delivery.at)
        return delivery

    # Processes that died

    def _go_on_after(self, interruption: AttemptInterruptedError) -> None:
        """Begin a step again whose process died in the middle, or hold it until somebody says what became."""
        name = interruption.step
        step: StepDefinition = self._definition.step(name)
        self.merged.again(name)
        if step.on_crash == "hold":
            self.ledger.hold([name])
        else:
            self.ledger.cancel_attempts(INTERRUPTED, "interrupted before its end", only=name)
        self._tell_recovery(interruption)
        self._schedule.again(name)

    def _tell_recovery(self, interruption: AttemptInterruptedError) -> None:
        if self._execution.told_of == interruption.execution:
            return  # another step that the same process left
        self._execution.told_of = interruption.execution
        self.ledger.announce_start({"resume": True, "fromStep": interruption.step, "recovered": True})

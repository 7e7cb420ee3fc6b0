"""One step of a run in hand: its condition, its attempts, its waiting."""

import inspect
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import Any, Protocol

from msgspec import structs

from flux_engine.context import Context
from flux_engine.data import DataShape, RunData, decode_delta
from flux_engine.definition import ENGINE_DEFAULT, StepDefinition
from flux_engine.errors import (
    DataConflictError,
    FatalError,
    FluxError,
    SerializationError,
    TransactionError,
)
from flux_engine.journal import waiting_of
from flux_engine.ledger import Ledger
from flux_engine.running.attempt import Outcome, is_async, run_attempt
from flux_engine.running.merged_data import MergedData
from flux_engine.running.pausing import Stops
from flux_engine.running.services import Services
from flux_engine.running.time_limit import TimeLimit
from flux_engine.storage.base import JournalEntry
from flux_engine.transaction import AttemptTransaction
from flux_engine.waiting import Sleep, Wait, Waiting


class StepEnd(Enum):
    """How a step came out of the engine's hands."""

    DONE = auto()
    FAILED = auto()
    WAITS = auto()
    LEFT = auto()  # the run stops before the step's first, or next, attempt


class StepHost(Protocol):
    """What running a step asks of its run."""

    services: Services
    ledger: Ledger
    merged: MergedData
    limit: TimeLimit
    shape: DataShape
    stops: Stops

    @property
    def halting(self) -> bool:
        """Whether nothing new is to be begun."""
        ...

    def watch(self, step: str, until: float) -> None:
        """Have the step fail when it still waits for its signal at that time."""
        ...

    def context(
        self,
        step: StepDefinition,
        data: RunData,
        attempt: int,
        transaction: AttemptTransaction | None = None,
    ) -> Context[Any, Any]:
        """Return the context for one attempt."""
        ...


class StepRun:
    """Takes one step as far as it goes. ``resting`` is true while it only waits for time to pass.

    ``limit`` is that of the task it runs in, by default the run's own. The step is given the data as it is
    now: those made together are given the same.
    """

    __slots__ = ("_data", "_host", "_ledger", "_progress", "_seen", "_step", "limit", "resting")

    def __init__(self, host: StepHost, step: StepDefinition) -> None:
        self.resting = False
        self.limit = host.limit
        self._host = host
        self._step = step
        self._ledger = host.ledger
        self._progress = host.ledger.progress.steps[step.name]
        self._seen = host.ledger.progress.last_ordinal
        last = self._progress.last
        waits = last is not None and waiting_of(last) is not None
        self._data = None if waits else host.merged.begin(step.name)

    def take(self) -> Coroutine[Any, Any, StepEnd]:
        """Run the step, or go on with its waiting."""
        if self._data is None:
            return self._go_on_waiting(waiting_of(self._progress.last) or Waiting())
        if self._step.when is not None:
            return self._attempts_if(self._step.when, self._data)
        return self._attempts(self._data)

    async def _attempts_if(self, when: Callable[[Any], Any], data: RunData) -> StepEnd:
        """Make the attempts if the step's condition holds. What that changes in the data is dropped."""
        try:
            wanted = await self._holds(when, data)
        except Exception as error:  # noqa: BLE001 - a condition is the user's code
            self._host.merged.leave(self._step.name)
            self._ledger.refuse(self._step, "its condition raised", error)
            return StepEnd.FAILED
        if not wanted:
            self._host.merged.leave(self._step.name)
            self._ledger.skip(self._step, "when false")
            return StepEnd.DONE
        return await self._attempts(data)

    async def _holds(self, when: Callable[[Any], Any], data: RunData) -> bool:
        if is_async(when):
            await self._ledger.commit()
        answer = when(self._host.context(self._step, data, self._progress.attempts + 1))
        return bool(await answer if inspect.isawaitable(answer) else answer)

    async def _attempts(self, data: RunData) -> StepEnd:
        services = self._host.services
        step = self._step
        if self._host.stops.at(step.name):
            self._host.merged.leave(step.name)
            return StepEnd.LEFT
        retries: Any = services.default_retries if step.retries is ENGINE_DEFAULT else step.retries
        timeout: Any = services.default_timeout if step.timeout is ENGINE_DEFAULT else step.timeout
        retry = 0
        while True:
            entry = self._ledger.start_attempt(step, retry, retries, seen=self._seen)
            await self._ledger.commit()
            stored = False
            if step.commit:
                outcome, stored = await self._commit_attempt(entry, data, timeout, retry)
            else:
                ctx = self._host.context(step, data, entry.attempt)
                outcome = self._checked(await self._call(ctx, data, timeout))
            if outcome.error is None:
                if stored:
                    return StepEnd.DONE
                if outcome.waits_for is not None:
                    return await self._suspend(entry, outcome, outcome.waits_for)
                self._merge(outcome)
                self._ledger.complete_attempt(step, entry, outcome, retry)
                return StepEnd.DONE
            delay, outcome = self._delay(outcome, retry, retries)
            self._ledger.fail_attempt(step, entry, outcome, retry=retry, retries=retries, delay=delay)
            if delay is None:
                self._host.merged.leave(step.name)
                return StepEnd.FAILED
            await self._ledger.commit()
            if not self._host.halting:
                await self._rest(delay)
            if self._host.halting:
                self._host.merged.leave(step.name)
                return StepEnd.LEFT
            retry += 1

    def _call(
        self,
        ctx: Context[Any, Any],
        data: RunData,
        timeout: float | None,
    ) -> Coroutine[Any, Any, Outcome]:
        shape = self._host.shape
        return run_attempt(self._step, ctx, shape=shape, data=data, limit=self.limit, timeout=timeout)

    async def _commit_attempt(
        self,
        entry: JournalEntry,
        data: RunData,
        timeout: float | None,  # noqa: ASYNC109 - the field's word
        retry: int,
    ) -> tuple[Outcome, bool]:
        """Call the handler; say what came of it, and whether that is stored, with what it wrote."""
        transaction = AttemptTransaction(self._host.services.storage, self._ledger.run_id)
        ctx = self._host.context(self._step, data, entry.attempt, transaction)
        try:
            outcome = self._checked(await self._call(ctx, data, timeout))
            if outcome.error is not None or not transaction.used:
                return outcome, False
            error = await self._store_together(transaction, entry, outcome, retry)
            return (outcome, True) if error is None else (structs.replace(outcome, error=error), False)
        finally:
            await transaction.rollback()

    async def _store_together(
        self, transaction: AttemptTransaction, entry: JournalEntry, outcome: Outcome, retry: int
    ) -> Exception | None:
        """Commit the handler's writes with its result; return why they were refused, if they were."""
        try:
            transaction.check()
            if outcome.waits_for is not None:
                raise TransactionError(  # noqa: TRY301 - refused like the others
                    f"commit {self._step.name!r} used ctx.tx and returned a wait, and a transaction cannot "
                    "stay open so long: wait in a step before it."
                )
            self._host.merged.reserve(self._step.name, outcome.delta)
            await self._ledger.complete_together(transaction, self._step, entry, outcome, retry)
        except Exception as error:
            if isinstance(error, FluxError) and not isinstance(error, TransactionError):
                raise  # the store itself, or the run was lost
            return error
        self._merge(outcome)
        return None

    def _delay(self, outcome: Outcome, retry: int, retries: int) -> tuple[float | None, Outcome]:
        """Return the back-off before the next attempt, ``None`` for no further attempt."""
        if outcome.error is None or retry >= retries or not may_retry(self._step, outcome.error):
            return None, outcome
        try:
            return self._step.backoff.delay(retry + 1), outcome
        except Exception as error:  # noqa: BLE001 - a back-off can be the user's code
            error.__cause__ = outcome.error
            return None, structs.replace(outcome, error=error)

    def _checked(self, outcome: Outcome) -> Outcome:
        if outcome.error is None:
            try:
                self._host.merged.check(self._step.name, outcome.delta)
            except DataConflictError as error:
                return Outcome(error=error, delta=outcome.delta)
        return outcome

    async def _suspend(self, entry: JournalEntry, outcome: Outcome, waits_for: Wait | Sleep) -> StepEnd:
        waiting = self._waiting(waits_for)
        self._host.merged.leave(self._step.name)
        self._ledger.suspend_attempt(self._step, entry, outcome, waiting)
        await self._ledger.commit()
        return await self._go_on_waiting(waiting)

    def _merge(self, outcome: Outcome) -> None:
        last = self._progress.ordinal is None or self._progress.ordinal >= self._ledger.progress.last_ordinal
        self._host.merged.end(self._step.name, outcome.delta, outcome.values, last=last)

    def _waiting(self, asked: Wait | Sleep) -> Waiting:
        now = self._host.services.clock.now()
        if isinstance(asked, Sleep):
            return Waiting(until=now + asked.seconds)
        return Waiting(signal=asked.signal, until=None if asked.timeout is None else now + asked.timeout)

    async def _go_on_waiting(self, waiting: Waiting) -> StepEnd:
        """Wait out a timer; a signal is waited for by the run."""
        if waiting.signal is not None:
            if waiting.until is not None:
                self._host.watch(self._step.name, waiting.until)
            return StepEnd.WAITS
        left = (waiting.until or 0.0) - self._host.services.clock.now()
        await self._rest(left)
        if self._host.halting:
            return StepEnd.LEFT
        return wake(self._host, self._step)

    async def _rest(self, seconds: float) -> None:
        if seconds <= 0:
            return
        self.resting = True
        try:
            await self._host.services.clock.sleep(seconds)
        finally:
            self.resting = False


def wake(host: StepHost, step: StepDefinition, output: str | None = None) -> StepEnd:
    """End the wait of a step: what it had changed counts now, unless that is in conflict."""
    last = host.ledger.progress.steps[step.name].last
    try:
        host.merged.wake(step.name, decode_delta(None if last is None else last.changes))
    except DataConflictError as error:
        host.ledger.fail_waiting(step, error)
        return StepEnd.FAILED
    host.ledger.wake(step, output)
    return StepEnd.DONE


def may_retry(step: StepDefinition, error: BaseException) -> bool:
    """Say whether a step that failed with this error may be tried again."""
    given_up = FatalError | SerializationError | DataConflictError | TransactionError
    return isinstance(error, step.retry_on) and not isinstance(error, given_up)

"""Steps and compensations whose handlers Restate has called once: the engine's own, but for those calls."""

import inspect
import time
from collections.abc import Callable
from typing import Any, Protocol

from flux_engine.context import Context
from flux_engine.data import RunData
from flux_engine.definition import ENGINE_DEFAULT, StepDefinition
from flux_engine.errors import FluxError
from flux_engine.failure import describe_exception
from flux_engine.integrations.restate.actions import Actions
from flux_engine.integrations.restate.durable_clock import DurableClock
from flux_engine.integrations.restate.recorded import FailedAttemptError, Recorded, decode_recorded, record
from flux_engine.running.attempt import Outcome, run_attempt
from flux_engine.running.compensation import Compensations
from flux_engine.running.step_run import StepHost, StepRun
from flux_engine.running.time_limit import TimeLimit

Decide = Callable[[Outcome], tuple[float | None, Outcome]]
"""Says of a failed attempt which back-off comes before the next one, if there is one."""


class AttemptInterruptedError(FluxError):
    """An attempt was begun before, and its process did not live to tell how it ended."""

    def __init__(self, step: str, execution: str) -> None:
        super().__init__(f"step {step!r} was interrupted")
        self.step = step
        self.execution = execution


class DurableHost(StepHost, Protocol):
    """What a durable step asks of its run."""

    actions: Actions
    clock: DurableClock


class DurableStep(StepRun):
    """One step of a run on Restate."""

    __slots__ = ("_durable", "_retry")

    def __init__(self, host: DurableHost, step: StepDefinition) -> None:
        super().__init__(host, step)
        self._durable = host
        self._retry = 0

    async def _holds(self, when: Callable[[Any], Any], data: RunData) -> bool:
        ctx = self._host.context(self._step, data, self._progress.attempts + 1)

        async def ask() -> bytes:
            try:
                answer = when(ctx)
                holds = bool(await answer if inspect.isawaitable(answer) else answer)
            except Exception as error:  # noqa: BLE001 - a condition is the user's code
                return Recorded(
                    at=time.time(), error=describe_exception(error, step=self._step.name)
                ).encode()
            return Recorded(at=time.time(), answer=holds).encode()

        found = decode_recorded(await self._durable.actions.begin(f"{self._step.name}: when", ask))
        self._durable.clock.advance(found.at)
        if found.error is not None:
            raise FailedAttemptError(found.error, None)
        return found.answer is True

    async def _call(
        self,
        ctx: Context[Any, Any],
        data: RunData,
        timeout: float | None,  # noqa: ASYNC109 - the field's word
    ) -> Outcome:
        services = self._host.services
        retries: Any = (
            services.default_retries if self._step.retries is ENGINE_DEFAULT else self._step.retries
        )
        retry, self._retry = self._retry, self._retry + 1

        def decide(outcome: Outcome) -> tuple[float | None, Outcome]:
            return self._delay(outcome, retry, retries)

        return await _attempt(self._durable, self._step, ctx, data, timeout, decide=decide)

    def _delay(self, outcome: Outcome, retry: int, retries: int) -> tuple[float | None, Outcome]:
        if isinstance(outcome.error, FailedAttemptError):
            return outcome.error.delay, outcome
        return super()._delay(outcome, retry, retries)


class DurableCompensations(Compensations):
    """What is to be taken back in a run on Restate."""

    def __init__(self, host: DurableHost, definition: Any) -> None:
        super().__init__(host, definition)
        self._durable = host
        self._retries: dict[str, int] = {}

    async def _call(
        self,
        step: StepDefinition,
        ctx: Context[Any, Any],
        data: RunData,
        timeout: float | None,  # noqa: ASYNC109 - the field's word
    ) -> Outcome:
        services = self._host.services
        retries: Any = services.default_retries if step.retries is ENGINE_DEFAULT else step.retries
        retry = self._retries[step.name] = self._retries.get(step.name, -1) + 1

        def decide(outcome: Outcome) -> tuple[float | None, Outcome]:
            if outcome.error is None:
                return None, outcome
            return self._delay(step, outcome.error, retry, retries), outcome

        return await _attempt(self._durable, step, ctx, data, timeout, decide=decide, compensate=True)

    def _delay(self, step: StepDefinition, error: BaseException, retry: int, retries: int) -> float | None:
        if isinstance(error, FailedAttemptError):
            return error.delay
        return super()._delay(step, error, retry, retries)


async def _attempt(
    host: DurableHost,
    step: StepDefinition,
    ctx: Context[Any, Any],
    data: RunData,
    timeout: float | None,  # noqa: ASYNC109 - the field's word
    *,
    decide: Decide,
    compensate: bool = False,
) -> Outcome:
    """Call a handler once in the life of the run, and return what came of it, now or then.

    Raises ``AttemptInterruptedError``.
    """
    actions = host.actions

    async def call() -> bytes:
        limit = TimeLimit()
        try:
            outcome = await run_attempt(
                step,
                ctx,
                shape=host.shape,
                data=data,
                limit=limit,
                timeout=timeout,
                handler=step.compensate if compensate else None,
            )
        finally:
            limit.close()
        if outcome.error is None:
            return record(outcome, None, None).encode()
        delay, outcome = decide(outcome)
        error = outcome.error or AssertionError("a failed attempt has an error")
        return record(outcome, describe_exception(error, step=step.name), delay).encode()

    def again() -> bytes:
        return Recorded(at=time.time(), interrupted=actions.execution).encode()

    what = "compensation" if compensate else "attempt"
    in_doubt = step.on_crash == "hold" and not compensate and not await _intend(actions, step, ctx.attempt)
    name = f"{step.name}: {what} {ctx.attempt}"
    found = decode_recorded(await actions.begin(name, call, again, in_doubt=in_doubt))
    host.clock.advance(found.at)
    if found.interrupted is not None:
        raise AttemptInterruptedError(step.name, found.interrupted)
    return found.outcome()


async def _intend(actions: Actions, step: StepDefinition, attempt: int) -> bool:
    """Have Restate record that a commit is about to be made; return whether that was only now.

    If an execution before recorded it, its handler may have been called, though Restate knows nothing of it.
    """

    async def intend() -> bytes:
        return b"{}"

    intent = actions.begin(f"{step.name}: intent {attempt}", intend)
    await intent
    return intent.ran

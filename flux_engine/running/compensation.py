"""Compensation: taking back what completed steps did, when a later one has failed for good.

The handlers run in the reverse order of the results. Each is recorded like an attempt, with the retries
and the time-out of its step. One that fails for good does not keep the others from running.
"""

from collections.abc import Coroutine
from typing import Any

from flux_engine.context import Context
from flux_engine.data import RunData
from flux_engine.definition import ENGINE_DEFAULT, StepDefinition, WorkflowDefinition
from flux_engine.execution import StepStatus
from flux_engine.running.attempt import Outcome, run_attempt
from flux_engine.running.step_run import StepHost


class Compensations:
    """What is to be taken back in one run."""

    def __init__(self, host: StepHost, definition: WorkflowDefinition[Any, Any]) -> None:
        self._host = host
        self._definition = definition

    async def run(self) -> None:
        """Compensate every completed step that can be, the latest result first."""
        for result in reversed(self._host.ledger.progress.results()):
            step = self._step(result.name)
            if step is not None and step.compensate is not None and result.status is StepStatus.COMPLETED:
                await self._compensate(step)

    def _step(self, name: str) -> StepDefinition | None:
        return self._definition.step(name) if name in self._definition.names else None

    async def _compensate(self, step: StepDefinition) -> None:
        services = self._host.services
        ledger = self._host.ledger
        retries: Any = services.default_retries if step.retries is ENGINE_DEFAULT else step.retries
        timeout: Any = services.default_timeout if step.timeout is ENGINE_DEFAULT else step.timeout
        data = self._host.merged.current()
        for retry in range(retries + 1):
            entry = ledger.start_compensation(step)
            await ledger.commit()
            ctx = self._host.context(step, data, entry.attempt)
            outcome = await self._call(step, ctx, data, timeout)
            if outcome.error is None:
                ledger.complete_compensation(step, entry)
                await ledger.commit()
                return
            delay = self._delay(step, outcome.error, retry, retries)
            ledger.fail_compensation(step, entry, outcome)
            await ledger.commit()
            if delay is None:
                return
            await services.clock.sleep(delay)

    def _call(
        self, step: StepDefinition, ctx: Context[Any, Any], data: RunData, timeout: float | None
    ) -> Coroutine[Any, Any, Outcome]:
        return run_attempt(
            step,
            ctx,
            shape=self._host.shape,
            data=data,
            limit=self._host.limit,
            timeout=timeout,
            handler=step.compensate,
        )

    def _delay(self, step: StepDefinition, error: BaseException, retry: int, retries: int) -> float | None:
        """Return the back-off before the next attempt, ``None`` for no further attempt."""
        return step.backoff.delay(retry + 1) if retry < retries and isinstance(error, step.retry_on) else None

"""A run in hand, and the one loop that every verb ends in.

A verb chooses where to start and makes a ``LiveRun``; ``drive`` takes it from there to its end.
"""

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any, Generic

from msgspec import structs

from flux_engine.attempt import is_async, run_attempt
from flux_engine.codec import decode
from flux_engine.context import Context
from flux_engine.data import RunData
from flux_engine.definition import ENGINE_DEFAULT, DataT, InputT, StepDefinition, WorkflowDefinition
from flux_engine.errors import FatalError, SerializationError, StorageError
from flux_engine.execution import ErrorInfo, RunStatus, StepHistory, StepStatus
from flux_engine.journal import Progress, StepProgress, decode_error, history_of
from flux_engine.ledger import Ledger
from flux_engine.result import FluxResult
from flux_engine.services import Services
from flux_engine.step_logger import StepLogger
from flux_engine.storage.base import JournalEntry, RunRecord


class LiveRun(Generic[InputT, DataT]):
    """A run that this engine owns and moves.

    ``only`` limits it to some steps; ``is_new`` says that the store does not have it yet.
    ``idle`` is true while it waits out a back-off, when stopping it loses nothing.
    """

    def __init__(
        self,
        services: Services,
        definition: WorkflowDefinition[InputT, DataT],
        record: RunRecord,
        progress: Progress,
        *,
        input: InputT,  # noqa: A002 - the field's word
        only: Sequence[str] | None = None,
        is_new: bool = False,
    ) -> None:
        self.id = record.id
        self.workflow = record.workflow
        self.idle = False
        self._services = services
        self._definition = definition
        self._progress = progress
        self._ledger = Ledger(services, record, progress, graph=definition.graph_json, is_new=is_new)
        self._input = input
        self._only = only
        self._data: RunData | None = None
        self._began = services.clock.monotonic()

    # What handlers see of the run

    @property
    def status(self) -> RunStatus:
        """The status of the run."""
        return self._ledger.status

    def history(self) -> tuple[StepHistory, ...]:
        """Return an entry for each step."""
        return history_of(self._progress, decode)

    def output_text(self, step: str) -> str | None:
        """Return what a completed step's handler returned, as JSON text."""
        found = self._progress.steps.get(step)
        if found is None or found.status is not StepStatus.COMPLETED or found.last is None:
            return None
        return found.last.output or "null"

    def steps_with_output(self) -> list[str]:
        """Return the names of the completed steps."""
        return [s.name for s in self._progress.steps.values() if s.status is StepStatus.COMPLETED]

    # The loop

    def start(self, meta: dict[str, Any] | None = None, entry: JournalEntry | None = None) -> None:
        """Enter the start of the run, or that it goes on, with the journal entry that sent it back."""
        self._ledger.start(meta, entry)

    async def drive(self) -> FluxResult[DataT]:
        """Take the run to its end, or to the point where the engine is asked to stop.

        Raises ``StorageError`` when the store fails; the run then stays as it was last stored.
        """
        try:
            await self._advance()
        except asyncio.CancelledError:
            await self._hand_back()
            raise
        except StorageError:
            await self._try_to_hand_back()
            raise
        return self.result()

    def result(self) -> FluxResult[DataT]:
        """Return where the run stands."""
        return FluxResult(
            id=self.id,
            name=self.workflow,
            status=self.status,
            data=self._final_data(),
            history=self.history(),
            duration=self._services.clock.monotonic() - self._began,
            error=self._ledger.error,
            exception=self._ledger.exception,
        )

    async def _advance(self) -> None:
        for step in self._definition.steps:
            progress = self._progress.steps[step.name]
            if progress.status.done:
                if self._data is not None:
                    self._data.apply(progress.edit_or_nothing())
                    self._data.apply(progress.delta())
                continue
            if self._only is not None and step.name not in self._only:
                continue
            if self._services.stopping:
                await self._hand_back()
                return
            if self._data is None:
                self._data = RunData(self._progress.texts_before(step.name))
            else:
                self._data.apply(progress.edit_or_nothing())
            if not await self._take(step, self._data):
                return
        await self._end()

    async def _take(self, step: StepDefinition, data: RunData) -> bool:
        """Skip or run one step; return whether the run goes on."""
        try:
            wanted = step.when is None or await self._condition(step, data)
        except Exception as error:  # noqa: BLE001 - a condition is the user's code
            self._ledger.refuse(step, "its condition raised", error)
            await self._end()
            return False
        if not wanted:
            self._ledger.skip(step, "its condition was false")
            return True
        return await self._attempts(step, data)

    async def _condition(self, step: StepDefinition, data: RunData) -> bool:
        """Ask the step's ``when``. What it changes in the data is dropped."""
        ctx = self._context(step, data, self._progress.steps[step.name].attempts + 1)
        if step.when is None:
            return True
        if is_async(step.when):
            await self._ledger.commit(step.name)
        answer = step.when(ctx)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    async def _attempts(self, step: StepDefinition, data: RunData) -> bool:
        """Run the step until it completes or has no retry left; return whether the run goes on."""
        retries: Any = self._services.default_retries if step.retries is ENGINE_DEFAULT else step.retries
        timeout: Any = self._services.default_timeout if step.timeout is ENGINE_DEFAULT else step.timeout
        retry = 0
        while True:
            entry = self._ledger.start_attempt(step, retry, retries)
            await self._ledger.commit(step.name)
            ctx = self._context(step, data, entry.attempt)
            outcome = await run_attempt(step, ctx, shape=self._definition.shape, data=data, timeout=timeout)
            if outcome.error is None:
                self._ledger.complete_attempt(step, entry, outcome, retry)
                data.apply(outcome.delta, outcome.values)
                return True
            again = retry < retries and _may_retry(step, outcome.error)
            delay = None
            if again:
                try:
                    delay = step.backoff.delay(retry + 1)
                except Exception as error:  # noqa: BLE001 - a back-off can be the user's code
                    error.__cause__ = outcome.error
                    outcome = structs.replace(outcome, error=error)
            self._ledger.fail_attempt(step, entry, outcome, retry=retry, retries=retries, delay=delay)
            if delay is None:
                await self._end()
                return False
            await self._ledger.commit(step.name)
            await self._wait(delay)
            if self._services.stopping:
                await self._hand_back()
                return False
            retry += 1

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        self.idle = True
        try:
            await self._services.clock.sleep(seconds)
        finally:
            self.idle = False

    async def _end(self) -> None:
        steps = [self._progress.steps[name] for name in self._definition.names]
        if self._ledger.error is None:
            self._ledger.error = _earlier_failure(steps)
        if self._ledger.error is not None:
            status = RunStatus.FAILED
        else:
            status = RunStatus.COMPLETED if all(s.status.done for s in steps) else RunStatus.PAUSED
        hook = "workflow_error" if status is RunStatus.FAILED else "workflow_complete"
        self._ledger.end(
            status,
            duration=self._services.clock.monotonic() - self._began,
            data=self._final_data() if self._services.announcer.hears(hook) else None,
        )
        await self._ledger.commit(None if status.ended else self._next_step(), release=True)

    async def _hand_back(self) -> None:
        """Let go of the run at once. It stays as it is, and any engine can recover it."""
        self._ledger.interrupt()
        saving = asyncio.ensure_future(self._ledger.commit(self._next_step(), release=True))
        await asyncio.shield(saving)

    async def _try_to_hand_back(self) -> None:
        self._ledger.keep_quiet()
        try:
            await self._hand_back()
        except StorageError as error:
            self._services.logger.warning(f"run {self.id} could not be released: {error}")

    def _next_step(self) -> str | None:
        open_steps = (s.name for s in self._definition.steps if not self._progress.steps[s.name].status.done)
        return next(open_steps, None)

    def _final_data(self) -> Any:
        return self._definition.shape.result(RunData(self._progress.texts_before(None)))

    def _context(self, step: StepDefinition, data: RunData, attempt: int) -> Context[InputT, DataT]:
        return Context(
            run=self,
            input=self._input,
            data=self._definition.shape.open(data),
            step=step.name,
            attempt=attempt,
            logger=StepLogger(self._services, self, step, attempt),
        )


def _may_retry(step: StepDefinition, error: BaseException) -> bool:
    return isinstance(error, step.retry_on) and not isinstance(error, FatalError | SerializationError)


def _earlier_failure(steps: Sequence[StepProgress]) -> ErrorInfo | None:
    """Return the error of a step that had failed before and was not run this time."""
    failed = next((step for step in steps if step.status is StepStatus.FAILED), None)
    return None if failed is None or failed.last is None else decode_error(failed.last.error)

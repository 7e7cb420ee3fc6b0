"""What a ledger enters about waiting: suspended steps, received signals, timers, waits that ran out."""

from collections.abc import Iterable

import msgspec

from flux_engine.definition import StepDefinition
from flux_engine.errors import WaitTimeoutError
from flux_engine.execution import ErrorInfo, StepStatus
from flux_engine.failure import describe_exception
from flux_engine.journal import waiting_of
from flux_engine.ledger.attempts import AttemptEntries
from flux_engine.ledger.books import NO_CHANGES, as_json, milliseconds, raw
from flux_engine.running.attempt import Outcome
from flux_engine.storage.base import EntryKind, JournalEntry
from flux_engine.trace.events import EventType
from flux_engine.transitions import transition
from flux_engine.waiting import Waiting


class WaitingEntries(AttemptEntries):
    """Enters what happens to steps that wait."""

    def suspend_attempt(
        self, step: StepDefinition, started: JournalEntry, outcome: Outcome, waiting: Waiting
    ) -> None:
        """The handler has returned, and the step waits for a signal or for its time."""
        entry = self._ended(started, StepStatus.SUSPENDED, outcome)
        self._enter(msgspec.structs.replace(entry, completed_at=None, detail=as_json(waiting)))
        until = None if waiting.until is None else round(waiting.until * 1000)
        self._trace(
            EventType.STEP_SUSPEND,
            step,
            status=StepStatus.SUSPENDED,
            attempt=entry.attempt,
            changes=None if entry.changes is None else raw(entry.changes),
            meta={"signal": waiting.signal, "until": until},
        )

    def hold(self, steps: Iterable[str]) -> None:
        """These commits are in doubt: they wait until somebody says what became of them."""
        for name in steps:
            progress = self.progress.steps[name]
            if progress.last is not None:
                self._enter(
                    msgspec.structs.replace(
                        progress.last,
                        status=transition(progress.status, StepStatus.SUSPENDED),
                        completed_at=None,
                        error=None,
                        detail=as_json(Waiting(signal=name, in_doubt=True)),
                    )
                )

    def repeat(self, step: StepDefinition) -> None:
        """A commit in doubt is to be run again."""
        progress = self.progress.steps[step.name]
        if progress.last is not None:
            error = ErrorInfo(type="InDoubt", message="its process died before the result", step=step.name)
            self._enter(
                msgspec.structs.replace(
                    progress.last,
                    status=transition(progress.status, StepStatus.CANCELLED),
                    completed_at=self._services.clock.now(),
                    detail=None,
                    error=as_json(error),
                )
            )

    def receive(self, step: StepDefinition, signal: str, payload: str) -> None:
        """The signal that a step waits for has come; ``payload`` is JSON text. ``wake`` it next."""
        self._enter(
            JournalEntry(
                seq=self.progress.last_seq + 1,
                kind=EntryKind.SIGNAL,
                step=step.name,
                started_at=self._services.clock.now(),
                output=payload,
                detail=as_json(signal),
            )
        )
        self._trace(EventType.SIGNAL_RECEIVED, step, input=raw(payload), meta={"signal": signal})

    def wake(self, step: StepDefinition, output: str | None = None) -> None:
        """The wait of a step is over, and the step complete with what its handler changed."""
        self._leave_suspension(step, StepStatus.COMPLETED, output=output)

    def expire(self, step: StepDefinition) -> None:
        """The signal that a step waits for did not come in time: the step has failed."""
        waiting = waiting_of(self.progress.steps[step.name].last)
        signal = None if waiting is None else waiting.signal
        self.fail_waiting(
            step, WaitTimeoutError(f"step {step.name!r} waited for signal {signal!r} longer than it may")
        )

    def fail_waiting(self, step: StepDefinition, exception: Exception) -> None:
        """The step that waits has failed."""
        self.error, self.exception = describe_exception(exception, step=step.name), exception
        self._leave_suspension(step, StepStatus.FAILED, error=self.error)

    def _leave_suspension(
        self,
        step: StepDefinition,
        status: StepStatus,
        *,
        output: str | None = None,
        error: ErrorInfo | None = None,
    ) -> None:
        progress = self.progress.steps[step.name]
        if progress.last is None:
            return
        done = status is StepStatus.COMPLETED
        entry = self._enter(
            msgspec.structs.replace(
                progress.last,
                status=transition(progress.status, status),
                completed_at=self._services.clock.now(),
                ordinal=self.progress.place_of_result(step.name) if done else None,
                output=output,
                error=None if error is None else as_json(error),
                detail=None,
            )
        )
        self._trace(
            EventType.STEP_COMPLETE if done else EventType.STEP_ERROR,
            step,
            status=status,
            attempt=entry.attempt,
            duration=milliseconds(entry),
            changes=NO_CHANGES if entry.changes is None else raw(entry.changes),
            error=None if error is None else str(error),
            meta={"output": raw(output)} if output else ({"exception": error} if error else None),
        )

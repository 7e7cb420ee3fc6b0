"""What a ledger enters about compensation."""

import msgspec

from flux_engine.definition import StepDefinition
from flux_engine.execution import ErrorInfo, StepStatus
from flux_engine.failure import describe_exception
from flux_engine.ledger.books import Books, as_json, milliseconds
from flux_engine.running.attempt import Outcome
from flux_engine.storage.base import EntryKind, JournalEntry
from flux_engine.trace.events import EventType
from flux_engine.transitions import transition


class CompensationEntries(Books):
    """Enters what is taken back."""

    def start_compensation(self, step: StepDefinition) -> JournalEntry:
        """What a completed step did is about to be taken back."""
        count = self.progress.steps[step.name].compensations
        entry = self._enter(
            JournalEntry(
                seq=self.progress.last_seq + 1,
                kind=EntryKind.COMPENSATION,
                step=step.name,
                status=StepStatus.RUNNING,
                attempt=count + 1,
                started_at=self._services.clock.now(),
                fingerprint=step.fingerprint,
            )
        )
        self._trace(EventType.STEP_COMPENSATE, step, status="running", attempt=entry.attempt)
        return entry

    def complete_compensation(self, step: StepDefinition, started: JournalEntry) -> None:
        """What the step did is taken back: its result no longer counts."""
        transition(self.progress.steps[step.name].status, StepStatus.COMPENSATED)
        entry = self._end_compensation(started, StepStatus.COMPENSATED, None)
        self._trace(
            EventType.STEP_COMPENSATE,
            step,
            status=StepStatus.COMPENSATED,
            attempt=entry.attempt,
            duration=milliseconds(entry),
        )

    def fail_compensation(self, step: StepDefinition, started: JournalEntry, outcome: Outcome) -> None:
        """An attempt to take back what the step did has failed."""
        exception = outcome.error or AssertionError("a failed attempt has an error")
        error = describe_exception(exception, step=step.name)
        entry = self._end_compensation(started, StepStatus.FAILED, error)
        self._trace(
            EventType.STEP_COMPENSATE,
            step,
            status=StepStatus.FAILED,
            attempt=entry.attempt,
            duration=milliseconds(entry),
            error=str(error),
            meta={"exception": error},
        )

    def _end_compensation(
        self, started: JournalEntry, status: StepStatus, error: ErrorInfo | None
    ) -> JournalEntry:
        return self._enter(
            msgspec.structs.replace(
                started,
                status=status,
                completed_at=self._services.clock.now(),
                error=None if error is None else as_json(error),
            )
        )

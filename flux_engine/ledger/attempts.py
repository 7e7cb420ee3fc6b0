"""What a ledger enters about the attempts of steps."""

import msgspec

from flux_engine.back_off import BackOff
from flux_engine.codec import decode
from flux_engine.definition import StepDefinition
from flux_engine.execution import ErrorInfo, StepStatus
from flux_engine.failure import describe_exception
from flux_engine.ledger.books import NO_CHANGES, Books, as_json, milliseconds, raw
from flux_engine.running.attempt import Outcome
from flux_engine.storage.base import EntryKind, JournalEntry
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.transaction import AttemptTransaction
from flux_engine.transitions import transition


class AttemptEntries(Books):
    """Enters what happens to the attempts of steps, and to steps whose handler is not called."""

    def skip(self, step: StepDefinition, reason: str) -> None:
        """The step is not run."""
        self._enter(self._brief(step, StepStatus.SKIPPED, detail=reason))
        self._trace(
            EventType.STEP_SKIPPED, step, status=StepStatus.SKIPPED, duration=0, meta={"reason": reason}
        )

    def refuse(self, step: StepDefinition, reason: str, exception: Exception) -> None:
        """The step failed before its handler was called."""
        self.error, self.exception = describe_exception(exception, step=step.name), exception
        self._enter(self._brief(step, StepStatus.FAILED, detail=reason, error=as_json(self.error)))
        self._trace(
            EventType.STEP_ERROR,
            step,
            status=StepStatus.FAILED,
            duration=0,
            error=str(self.error),
            meta={"exception": self.error, "reason": reason},
        )
        self._hook("step_error", step=step.name, status="failed", error=self.error, exception=exception)

    def start_attempt(self, step: StepDefinition, retry: int, retries: int, *, seen: int) -> JournalEntry:
        """An attempt starts: the first for ``retry`` 0, of at most ``retries`` + 1. Returns its entry.

        ``seen`` is how many results the step is given if it has not been started before.
        """
        progress = self.progress.steps[step.name]
        self._current = step.name
        entry = self._enter(
            JournalEntry(
                seq=self.progress.last_seq + 1,
                kind=EntryKind.ATTEMPT,
                step=step.name,
                status=transition(progress.status, StepStatus.RUNNING),
                attempt=progress.attempts + 1,
                started_at=self._services.clock.now(),
                fingerprint=step.fingerprint,
                seen=seen if progress.seen is None else progress.seen,
            )
        )
        if self._traces:
            self._announcements.append(self._start_event(step, entry, retry, retries))
        if "step_start" in self._hears:
            self._hook("step_start", step=step.name, attempt=entry.attempt, status="running")
        return entry

    def complete_attempt(
        self, step: StepDefinition, started: JournalEntry, outcome: Outcome, retry: int
    ) -> None:
        """The attempt has succeeded, and the step with it."""
        entry = self._enter(self._ended(started, StepStatus.COMPLETED, outcome))
        self._announce_completion(step, entry, retry)

    async def complete_together(
        self,
        transaction: AttemptTransaction,
        step: StepDefinition,
        started: JournalEntry,
        outcome: Outcome,
        retry: int,
    ) -> None:
        """The attempt has succeeded: store that in one transaction with what its handler wrote.

        Nothing is entered when that fails. It is told with the next ``commit``.
        """
        entry = self._ended(started, StepStatus.COMPLETED, outcome)
        # No other step may take the place while this one is being stored.
        self.progress.last_ordinal = max(self.progress.last_ordinal, entry.ordinal or 0)
        try:
            self.asked = await transaction.commit(self._write_of([entry])) or self.asked
        finally:
            self.is_unclear = transaction.unclear
            if transaction.committed:  # a cancellation may have come all the same
                self.progress.add(entry)
                self._announce_completion(step, entry, retry)

    def _announce_completion(self, step: StepDefinition, entry: JournalEntry, retry: int) -> None:
        if self._traces:
            self._announcements.append(self._completion_event(step, entry, retry))
        if "step_complete" in self._hears:
            self._hook(
                "step_complete",
                step=step.name,
                attempt=entry.attempt,
                status="completed",
                duration=milliseconds(entry) / 1000,
                output=None if entry.output is None else decode(entry.output),
            )

    # Written out, without the keywords passing through _trace: these two are made for every step.

    def _start_event(self, step: StepDefinition, entry: JournalEntry, retry: int, retries: int) -> TraceEvent:
        return TraceEvent(
            type=EventType.STEP_START,
            timestamp=round(self._services.clock.now() * 1000),
            workflow_id=self._record.id,
            workflow_name=self._record.workflow,
            step_name=step.name,
            step_index=step.index,
            commit=step.commit,
            status=StepStatus.RUNNING,
            attempt=entry.attempt,
            retries=retry,
            max_retries=retries,
        )

    def _completion_event(self, step: StepDefinition, entry: JournalEntry, retry: int) -> TraceEvent:
        return TraceEvent(
            type=EventType.STEP_COMPLETE,
            timestamp=round(self._services.clock.now() * 1000),
            workflow_id=self._record.id,
            workflow_name=self._record.workflow,
            step_name=step.name,
            step_index=step.index,
            commit=step.commit,
            status=StepStatus.COMPLETED,
            attempt=entry.attempt,
            retries=retry,
            duration=milliseconds(entry),
            changes=NO_CHANGES if entry.changes is None else raw(entry.changes),
            meta=None if entry.output is None else {"output": raw(entry.output)},
        )

    def fail_attempt(
        self,
        step: StepDefinition,
        started: JournalEntry,
        outcome: Outcome,
        *,
        retry: int,
        retries: int,
        delay: float | None,
    ) -> None:
        """The attempt has failed. ``delay`` is the back-off in seconds; ``None``: the step has failed."""
        exception = outcome.error or AssertionError("a failed attempt has an error")
        error = describe_exception(exception, step=step.name)
        ended = self._ended(started, StepStatus.FAILED, outcome, error)
        if delay is not None:
            ended = msgspec.structs.replace(ended, detail=as_json(BackOff(delay=delay)))
        entry = self._enter(ended)
        final = delay is None
        self._trace(
            EventType.STEP_ERROR if final else EventType.STEP_RETRY,
            step,
            status=StepStatus.FAILED if final else StepStatus.RUNNING,
            attempt=entry.attempt,
            retries=retry if final else retry + 1,
            max_retries=retries,
            duration=milliseconds(entry),
            error=str(error),
            changes=None if entry.changes is None else raw(entry.changes),
            meta={"exception": error} if delay is None else {"exception": error, "delay": delay * 1000},
        )
        if final:
            self.error, self.exception = error, exception
            self._hook(
                "step_error",
                step=step.name,
                attempt=entry.attempt,
                status="failed",
                duration=milliseconds(entry) / 1000,
                error=error,
                exception=exception,
            )

    def cancel_attempts(
        self, kind: str, message: str, *, waiting: bool = False, only: str | None = None
    ) -> None:
        """Close the attempts that are under way with this error, and with ``waiting`` also the waits.

        ``only`` is the one step that this is about.
        """
        open_statuses = {StepStatus.RUNNING, StepStatus.SUSPENDED} if waiting else {StepStatus.RUNNING}
        for step in self.progress.steps.values():
            if only is not None and step.name != only:
                continue
            if step.status in open_statuses and step.last is not None:
                error = ErrorInfo(type=kind, message=message, step=step.name)
                self._enter(
                    msgspec.structs.replace(
                        step.last,
                        status=transition(step.status, StepStatus.CANCELLED),
                        completed_at=self._services.clock.now(),
                        detail=None,
                        error=as_json(error),
                    )
                )

    def _brief(
        self, step: StepDefinition, status: StepStatus, *, detail: str, error: str | None = None
    ) -> JournalEntry:
        """Return the entry of a step whose handler was not called."""
        now = self._services.clock.now()
        return JournalEntry(
            seq=self.progress.last_seq + 1,
            kind=EntryKind.ATTEMPT,
            step=step.name,
            status=transition(self.progress.steps[step.name].status, status),
            started_at=now,
            completed_at=now,
            error=error,
            detail=as_json(detail),
            fingerprint=step.fingerprint,
            ordinal=self.progress.place_of_result(step.name) if status.done else None,
        )

    def _ended(
        self, started: JournalEntry, status: StepStatus, outcome: Outcome, error: ErrorInfo | None = None
    ) -> JournalEntry:
        """Return the entry of an attempt with its end."""
        return JournalEntry(
            seq=started.seq,
            kind=EntryKind.ATTEMPT,
            step=started.step,
            status=transition(StepStatus.RUNNING, status),
            attempt=started.attempt,
            started_at=started.started_at,
            completed_at=self._services.clock.now(),
            output=outcome.output,
            changes=outcome.delta.encode() if outcome.delta else None,
            error=None if error is None else as_json(error),
            fingerprint=started.fingerprint,
            seen=started.seen,
            ordinal=self.progress.place_of_result(started.step) if status.done else None,
        )

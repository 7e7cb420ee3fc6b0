"""The books of a run in hand: what happened is entered here, then stored, and only then announced.

Each method enters one thing: a journal entry, and the trace event and hook that go with it.
``commit`` stores all that was entered since the last time in one write. So the end of a step and the
start of the next are one write.
"""

from typing import Any

import msgspec

from flux_engine.announcer import Announcement
from flux_engine.attempt import Outcome
from flux_engine.codec import decode
from flux_engine.definition import StepDefinition
from flux_engine.errors import WaitTimeoutError
from flux_engine.execution import ErrorInfo, RunStatus, StepStatus
from flux_engine.failure import describe_exception, summary
from flux_engine.hooks import HookEvent
from flux_engine.journal import Progress, waiting_of
from flux_engine.services import Services
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord, RunWrite
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.transitions import transition
from flux_engine.waiting import Waiting

_NO_CHANGES = msgspec.Raw(b'{"set":{},"deleted":[]}')
_END_EVENTS = {
    RunStatus.FAILED: EventType.WORKFLOW_ERROR,
    RunStatus.COMPLETED: EventType.WORKFLOW_COMPLETE,
    RunStatus.PAUSED: EventType.WORKFLOW_PAUSE,
    RunStatus.SUSPENDED: EventType.WORKFLOW_SUSPEND,
    RunStatus.CANCELLED: EventType.WORKFLOW_CANCEL,
}
_END_HOOKS = {RunStatus.FAILED: "workflow_error", RunStatus.COMPLETED: "workflow_complete"}


class Ledger:
    """Enters, stores and announces what happens to one run. ``graph`` is that of its definition now."""

    def __init__(
        self, services: Services, record: RunRecord, progress: Progress, *, graph: str, is_new: bool
    ) -> None:
        self.progress = progress
        self.status = record.status
        self.error: ErrorInfo | None = None
        self.exception: BaseException | None = None
        self._services = services
        self._record = record
        self._graph = graph
        self._graph_to_store = None if record.graph == graph else graph
        self._is_new = is_new
        self._current: str | None = None
        self._entries: dict[int, JournalEntry] = {}
        self._announcements: list[Announcement] = []

    # The run

    def start(self, meta: dict[str, Any] | None, entry: JournalEntry | None) -> None:
        """The run starts, or goes on with the entry that sent it back."""
        self.status = transition(self.status, RunStatus.RUNNING)
        self.cancel_attempts("Interrupted", "interrupted before its end")
        if entry is not None:
            self._enter(entry)
        self._trace(
            EventType.WORKFLOW_START,
            status=self.status,
            input=_raw(self._record.input),
            graph=_raw(self._graph),
            meta=meta,
        )

    def end(self, status: RunStatus, *, duration: float, data: Any) -> None:
        """The run has come to an end, or pauses. ``duration`` is seconds."""
        self.status = transition(self.status, status)
        traced = self._services.announcer.traces
        self._trace(
            _END_EVENTS[status],
            status=status,
            duration=round(duration * 1000, 3),
            error=None if self.error is None else str(self.error),
            data=_raw(_as_object(self.progress.texts())) if traced else None,
        )
        if status in _END_HOOKS:
            self._hook(
                _END_HOOKS[status],
                status=status,
                duration=duration,
                data=data,
                error=self.error,
                exception=self.exception,
            )

    def interrupt(self) -> None:
        """The run is let go in the middle: attempts under way are cancelled, the status stays."""
        self.cancel_attempts("Interrupted", "interrupted before its end")
        self._trace(EventType.WORKFLOW_PAUSE, status="interrupted", meta={"interrupted": True})

    def cancel_attempts(self, kind: str, message: str) -> None:
        """Close the attempts that are under way, with this error."""
        for step in self.progress.steps.values():
            if step.status is StepStatus.RUNNING and step.last is not None:
                error = ErrorInfo(type=kind, message=message, step=step.name)
                self._enter(
                    msgspec.structs.replace(
                        step.last,
                        status=transition(step.status, StepStatus.CANCELLED),
                        completed_at=self._services.clock.now(),
                        error=_json(error),
                    )
                )

    # Steps

    def skip(self, step: StepDefinition, reason: str) -> None:
        """The step is not run."""
        self._enter(self._brief(step, StepStatus.SKIPPED, detail=reason))
        self._trace(
            EventType.STEP_SKIPPED, step, status=StepStatus.SKIPPED, duration=0, meta={"reason": reason}
        )

    def refuse(self, step: StepDefinition, reason: str, exception: Exception) -> None:
        """The step failed before its handler was called."""
        self.error, self.exception = describe_exception(exception, step=step.name), exception
        self._enter(self._brief(step, StepStatus.FAILED, detail=reason, error=_json(self.error)))
        self._trace(
            EventType.STEP_ERROR,
            step,
            status=StepStatus.FAILED,
            duration=0,
            error=str(self.error),
            meta={"exception": self.error, "reason": reason},
        )
        self._hook("step_error", step=step.name, status="failed", error=self.error, exception=exception)

    def start_attempt(self, step: StepDefinition, retry: int, retries: int) -> JournalEntry:
        """An attempt starts: the first for ``retry`` 0, of at most ``retries`` + 1. Returns its entry."""
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
                seen=self.progress.last_ordinal if progress.seen is None else progress.seen,
            )
        )
        self._trace(
            EventType.STEP_START,
            step,
            status=StepStatus.RUNNING,
            attempt=entry.attempt,
            retries=retry,
            max_retries=retries,
        )
        self._hook("step_start", step=step.name, attempt=entry.attempt, status="running")
        return entry

    def complete_attempt(
        self, step: StepDefinition, started: JournalEntry, outcome: Outcome, retry: int
    ) -> None:
        """The attempt has succeeded, and the step with it."""
        entry = self._end_attempt(started, StepStatus.COMPLETED, outcome)
        self._trace(
            EventType.STEP_COMPLETE,
            step,
            status=StepStatus.COMPLETED,
            attempt=entry.attempt,
            retries=retry,
            duration=_milliseconds(entry),
            changes=_NO_CHANGES if entry.changes is None else _raw(entry.changes),
            meta=None if entry.output is None else {"output": _raw(entry.output)},
        )
        if self._services.announcer.hears("step_complete"):
            self._hook(
                "step_complete",
                step=step.name,
                attempt=entry.attempt,
                status="completed",
                duration=_milliseconds(entry) / 1000,
                output=None if entry.output is None else decode(entry.output),
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
        entry = self._end_attempt(started, StepStatus.FAILED, outcome, error)
        final = delay is None
        self._trace(
            EventType.STEP_ERROR if final else EventType.STEP_RETRY,
            step,
            status=StepStatus.FAILED if final else StepStatus.RUNNING,
            attempt=entry.attempt,
            retries=retry if final else retry + 1,
            max_retries=retries,
            duration=_milliseconds(entry),
            error=str(error),
            changes=None if entry.changes is None else _raw(entry.changes),
            meta={"exception": error} if delay is None else {"exception": error, "delay": delay * 1000},
        )
        if final:
            self.error, self.exception = error, exception
            self._hook(
                "step_error",
                step=step.name,
                attempt=entry.attempt,
                status="failed",
                duration=_milliseconds(entry) / 1000,
                error=error,
                exception=exception,
            )

    # Waiting

    def suspend_attempt(
        self, step: StepDefinition, started: JournalEntry, outcome: Outcome, waiting: Waiting
    ) -> None:
        """The handler has returned, and the step waits for a signal or for its time."""
        entry = self._end_attempt(started, StepStatus.SUSPENDED, outcome)
        self._enter(msgspec.structs.replace(entry, completed_at=None, detail=_json(waiting)))
        until = None if waiting.until is None else round(waiting.until * 1000)
        self._trace(
            EventType.STEP_SUSPEND,
            step,
            status=StepStatus.SUSPENDED,
            attempt=entry.attempt,
            changes=None if entry.changes is None else _raw(entry.changes),
            meta={"signal": waiting.signal, "until": until},
        )

    def receive(self, step: StepDefinition, signal: str, payload: str) -> None:
        """The signal that a step waits for has come; ``payload`` is JSON text."""
        self._enter(
            JournalEntry(
                seq=self.progress.last_seq + 1,
                kind=EntryKind.SIGNAL,
                step=step.name,
                started_at=self._services.clock.now(),
                output=payload,
                detail=_json(signal),
            )
        )
        self._trace(EventType.SIGNAL_RECEIVED, step, input=_raw(payload), meta={"signal": signal})
        self.wake(step, payload)

    def wake(self, step: StepDefinition, output: str | None = None) -> None:
        """The wait of a step is over, and the step complete with what its handler changed."""
        self._leave_suspension(step, StepStatus.COMPLETED, output=output)

    def expire(self, step: StepDefinition) -> None:
        """The signal that a step waits for did not come in time: the step has failed."""
        waiting = waiting_of(self.progress.steps[step.name].last)
        signal = None if waiting is None else waiting.signal
        exception = WaitTimeoutError(f"step {step.name!r} waited for signal {signal!r} longer than it may")
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
                error=None if error is None else _json(error),
                detail=None,
            )
        )
        self._trace(
            EventType.STEP_COMPLETE if done else EventType.STEP_ERROR,
            step,
            status=status,
            attempt=entry.attempt,
            duration=_milliseconds(entry),
            changes=_NO_CHANGES if entry.changes is None else _raw(entry.changes),
            error=None if error is None else str(error),
            meta={"output": _raw(output)} if output else ({"exception": error} if error else None),
        )

    # Compensation

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
            duration=_milliseconds(entry),
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
            duration=_milliseconds(entry),
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
                error=None if error is None else _json(error),
            )
        )

    # Entering, storing, announcing

    async def commit(self, *, release: bool = False) -> None:
        """Store what was entered, then announce it.

        ``release`` also gives up the ownership of the run.
        """
        now = self._services.clock.now()
        head: dict[str, Any] = {
            "status": self.status,
            "updated_at": now,
            "completed_at": now if self.status.ended else None,
            "current_step": self._step_on_record(release=release),
            "error": None if self.error is None else _json(self.error),
            "error_summary": None if self.error is None else summary(self.error),
            "owner": None if release else self._record.owner,
        }
        # Steps that run at the same time commit what they find here, so each entry is taken once.
        entries, self._entries = tuple(self._entries.values()), {}
        announcements, self._announcements = self._announcements, []
        graph, self._graph_to_store = self._graph_to_store, None
        is_new, self._is_new = self._is_new, False
        try:
            if is_new:
                await self._services.storage.create(msgspec.structs.replace(self._record, **head), entries)
            else:
                await self._services.storage.save(
                    RunWrite(
                        run_id=self._record.id,
                        fence=self._record.fence,
                        graph=graph,
                        entries=entries,
                        **head,
                    )
                )
        except BaseException:
            self._entries = {entry.seq: entry for entry in entries} | self._entries
            self._graph_to_store, self._is_new = graph, is_new
            raise
        await self._services.announcer.tell(announcements)

    def _step_on_record(self, *, release: bool) -> str | None:
        if self.status.ended:
            return None
        return self.progress.current_step() if release else self._current

    def keep_quiet(self) -> None:
        """Forget what was to be announced: it could not be stored."""
        self._announcements.clear()

    def _enter(self, entry: JournalEntry) -> JournalEntry:
        self.progress.add(entry)
        self._entries[entry.seq] = entry
        return entry

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
            detail=_json(detail),
            fingerprint=step.fingerprint,
            ordinal=self.progress.place_of_result(step.name) if status.done else None,
        )

    def _end_attempt(
        self, started: JournalEntry, status: StepStatus, outcome: Outcome, error: ErrorInfo | None = None
    ) -> JournalEntry:
        return self._enter(
            JournalEntry(
                seq=started.seq,
                kind=EntryKind.ATTEMPT,
                step=started.step,
                status=transition(StepStatus.RUNNING, status),
                attempt=started.attempt,
                started_at=started.started_at,
                completed_at=self._services.clock.now(),
                output=outcome.output,
                changes=outcome.delta.encode() if outcome.delta else None,
                error=None if error is None else _json(error),
                fingerprint=started.fingerprint,
                seen=started.seen,
                ordinal=self.progress.place_of_result(started.step) if status.done else None,
            )
        )

    def _trace(self, kind: EventType, step: StepDefinition | None = None, **fields: Any) -> None:
        if not self._services.announcer.traces:
            return
        if step is not None:
            fields |= {"step_name": step.name, "step_index": step.index, "commit": step.commit}
        event = TraceEvent(
            type=kind,
            timestamp=round(self._services.clock.now() * 1000),
            workflow_id=self._record.id,
            workflow_name=self._record.workflow,
            **fields,
        )
        self._announcements.append(Announcement(event))

    def _hook(self, hook: str, **fields: Any) -> None:
        if self._services.announcer.hears(hook):
            event = HookEvent(event=hook, run_id=self._record.id, workflow=self._record.workflow, **fields)
            self._announcements.append(Announcement(None, event))


def _milliseconds(entry: JournalEntry) -> float:
    return round(((entry.completed_at or 0.0) - (entry.started_at or 0.0)) * 1000, 3)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _as_object(texts: dict[str, str]) -> str:
    return "{" + ",".join(f"{_json(key)}:{text}" for key, text in texts.items()) + "}"

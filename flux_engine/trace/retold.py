"""From the events of a run back to its record and journal: what a ledger told is entered again."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from flux_engine.data import decode_delta
from flux_engine.errors import StorageError
from flux_engine.execution import ErrorInfo, RunStatus, StepStatus
from flux_engine.failure import summary
from flux_engine.journal import INTERRUPTED, Progress, RetryDetail, StepProgress, progress_of, waiting_of
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.waiting import Waiting

_ENDS = {
    EventType.WORKFLOW_COMPLETE: RunStatus.COMPLETED,
    EventType.WORKFLOW_ERROR: RunStatus.FAILED,
    EventType.WORKFLOW_CANCEL: RunStatus.CANCELLED,
    EventType.WORKFLOW_PAUSE: RunStatus.PAUSED,
    EventType.WORKFLOW_SUSPEND: RunStatus.SUSPENDED,
}
_UNDER_WAY = frozenset({StepStatus.RUNNING})
_OPEN = frozenset({StepStatus.RUNNING, StepStatus.SUSPENDED})


def retold(events: Iterable[TraceEvent]) -> tuple[RunRecord, list[JournalEntry]]:
    """Return the run that events tell of, the first of which is its start. Nobody has it in hand.

    Raises ``StorageError`` when they do not begin with a start that has the graph, or cannot be understood.
    """
    told = iter(events)
    start = next(told, None)
    if start is None or start.type != EventType.WORKFLOW_START or start.graph is None:
        raise StorageError("The events of the run do not begin with its start and its graph.")
    try:
        teller = _Teller(start)
        for event in told:
            teller.take(event)
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise StorageError(f"The events of the run cannot be understood: {error}") from error
    return teller.record, list(teller.entries.values())


class _Teller:
    """Enters event after event. ``record`` and ``entries`` are the run as far as it was told."""

    def __init__(self, start: TraceEvent) -> None:
        at = start.timestamp / 1000
        self.record = RunRecord(
            id=start.workflow_id,
            workflow=start.workflow_name,
            status=RunStatus.RUNNING,
            input=_json(start.input),
            graph=_json(start.graph),
            created_at=at,
            updated_at=at,
        )
        self.entries: dict[int, JournalEntry] = {}
        self._prints: dict[str, str] = {}
        self._progress = self._folded(start.graph)
        self._failure: ErrorInfo | None = None
        self._sent_on(start, at)

    def take(self, event: TraceEvent) -> None:
        """Take in the next event; one of another kind only moves the time on."""
        at = event.timestamp / 1000
        self.record = replace(self.record, updated_at=max(self.record.updated_at, at))
        match event.type:
            case EventType.WORKFLOW_START:
                self._go_on(event, at)
            case EventType.SIGNAL_RECEIVED:
                signal = _json(_meta(event).get("signal") or event.step_name)
                self._add(EntryKind.SIGNAL, event, started_at=at, output=_json(event.input), detail=signal)
            case EventType.STEP_START:
                self._start(event, at)
            case EventType.STEP_COMPENSATE:
                self._compensate(event, at)
            case kind if kind in _STEP_ENDS and event.step_name is not None:
                self._end_attempt(event, _STEP_ENDS[kind], at)
            case kind if kind in _ENDS:
                self._rest(event, _ENDS[EventType(kind)], at)
            case _:
                pass

    # The run

    def _go_on(self, event: TraceEvent, at: float) -> None:
        if event.graph is not None:
            self.record = replace(self.record, graph=_json(event.graph))
            self._progress = self._folded(event.graph)
        self._close(_UNDER_WAY, INTERRUPTED, "interrupted before its end", at)
        self.record = replace(
            self.record, status=RunStatus.RUNNING, completed_at=None, error=None, error_summary=None
        )
        self._sent_on(event, at)

    def _sent_on(self, event: TraceEvent, at: float) -> None:
        """Enter what a start says of steps that run again, and of an edit of the data."""
        said = _meta(event)
        step, edit, back = said.get("fromStep"), _delta(said.get("edit")), said.get("retry") is True
        if not isinstance(step, str) or not (back or edit):
            return
        again = said.get("runsAgain") if back else ()
        detail = RetryDetail(
            scope=str(said.get("scope") or "downstream"), superseded=tuple(again or ([step] if back else ()))
        )
        entry = JournalEntry(seq=0, kind=EntryKind.RETRY, step=step)
        self._put(replace(entry, started_at=at, changes=edit, detail=detail.encode()))

    def _rest(self, event: TraceEvent, status: RunStatus, at: float) -> None:
        """The run ends, or comes to rest."""
        if status is RunStatus.CANCELLED:
            self._close(_OPEN, "Cancelled", "the run was cancelled", at)
        elif status is RunStatus.PAUSED:
            self._close(_UNDER_WAY, INTERRUPTED, "interrupted before its end", at)
        elif status is RunStatus.SUSPENDED:
            self._hold()
        error = (self._failure or _error(event)) if status is RunStatus.FAILED else None
        interrupted = _meta(event).get("interrupted") is True
        self.record = replace(
            self.record,
            status=RunStatus.RUNNING if interrupted else status,
            completed_at=at if status.ended else None,
            current_step=None if status.ended else self._progress.current_step(),
            error=None if error is None else _json(error),
            error_summary=None if error is None else summary(error),
        )

    def _hold(self) -> None:
        """A run that is suspended by no wait that was told has a commit in doubt."""
        steps = self._progress.steps
        if not any(step.status is StepStatus.SUSPENDED for step in steps.values()):
            for step in steps.values():
                if step.commit and step.last is not None and self._progress.in_doubt(step.name):
                    detail = _json(Waiting(signal=step.name, in_doubt=True))
                    held = replace(step.last, status=StepStatus.SUSPENDED, completed_at=None, error=None)
                    self._put(replace(held, detail=detail))

    # Steps

    def _start(self, event: TraceEvent, at: float) -> None:
        step = self._step(event)
        self._close(_OPEN, "InDoubt", "its process died before the result", at, only=step.name)
        self._add(
            EntryKind.ATTEMPT,
            event,
            status=StepStatus.RUNNING,
            attempt=event.attempt or step.attempts + 1,
            started_at=at,
            fingerprint=self._prints.get(step.name, ""),
            seen=self._progress.last_ordinal if step.seen is None else step.seen,
        )

    def _end_attempt(self, event: TraceEvent, status: StepStatus, at: float) -> None:
        step = self._step(event)
        said = _meta(event)
        begun = step.last if step.last is not None and step.status in _OPEN else None
        if begun is None or event.type == EventType.STEP_SKIPPED:
            begun = JournalEntry(
                seq=self._progress.last_seq + 1,
                kind=EntryKind.ATTEMPT,
                step=step.name,
                attempt=event.attempt or 0,
                started_at=at,
                detail=None if said.get("reason") is None else _json(str(said["reason"])),
                fingerprint=self._prints.get(step.name, ""),
            )
        failed = status is StepStatus.FAILED
        error = _error(event) if failed else None
        if failed and event.type == EventType.STEP_ERROR:
            self._failure = error
        waits = status is StepStatus.SUSPENDED
        lasted = at if event.duration is None else (begun.started_at or at) + event.duration / 1000
        self._put(
            replace(
                begun,
                status=status,
                completed_at=None if waits else lasted,
                output=_json(said["output"]) if status is StepStatus.COMPLETED and "output" in said else None,
                changes=_delta(event.changes) if begun.changes is None else begun.changes,
                error=None if error is None else _json(error),
                detail=_waiting(said)
                if waits
                else _pause(said) or (None if waiting_of(begun) else begun.detail),
                ordinal=self._progress.place_of_result(step.name) if status.done else None,
            )
        )

    def _compensate(self, event: TraceEvent, at: float) -> None:
        step = self._step(event)
        begun = self.entries.get(self._progress.last_seq)
        status = StepStatus(event.status or StepStatus.COMPENSATED)
        begins = status is StepStatus.RUNNING or begun is None or begun.status is not StepStatus.RUNNING
        error = _error(event) if status is StepStatus.FAILED else None
        if begun is None or begins or (begun.kind, begun.step) != (EntryKind.COMPENSATION, step.name):
            begun = JournalEntry(
                seq=self._progress.last_seq + 1,
                kind=EntryKind.COMPENSATION,
                step=step.name,
                attempt=event.attempt or step.compensations + 1,
                started_at=at,
                fingerprint=self._prints.get(step.name, ""),
            )
        done = None if status is StepStatus.RUNNING else at
        self._put(replace(begun, status=status, completed_at=done, error=_json(error) if error else None))

    def _step(self, event: TraceEvent) -> StepProgress:
        """Return where a step stands. Raises ``KeyError`` for one that the graph does not have."""
        return self._progress.steps[event.step_name or ""]

    def _close(
        self,
        open_statuses: frozenset[StepStatus],
        kind: str,
        message: str,
        at: float,
        *,
        only: str | None = None,
    ) -> None:
        for step in self._progress.steps.values():
            if step.last is None or step.status not in open_statuses or only not in (None, step.name):
                continue
            error = _json(ErrorInfo(type=kind, message=message, step=step.name))
            closed = replace(
                step.last, status=StepStatus.CANCELLED, completed_at=at, detail=None, error=error
            )
            self._put(closed)

    # The journal

    def _add(self, kind: EntryKind, event: TraceEvent, **fields: Any) -> None:
        self._put(JournalEntry(seq=0, kind=kind, step=self._step(event).name, **fields))

    def _put(self, entry: JournalEntry) -> None:
        placed = entry if entry.seq else replace(entry, seq=self._progress.last_seq + 1)
        self.entries[placed.seq] = placed
        self._progress.add(placed)

    def _folded(self, graph: Any) -> Progress:
        self._prints = {step["name"]: str(step.get("fingerprint") or "") for step in graph["steps"]}
        return progress_of(self.record, self.entries.values())


_STEP_ENDS: Mapping[str, StepStatus] = {
    EventType.STEP_COMPLETE: StepStatus.COMPLETED,
    EventType.STEP_ERROR: StepStatus.FAILED,
    EventType.STEP_RETRY: StepStatus.FAILED,
    EventType.STEP_SKIPPED: StepStatus.SKIPPED,
    EventType.STEP_SUSPEND: StepStatus.SUSPENDED,
}


def _meta(event: TraceEvent) -> Mapping[str, Any]:
    return event.meta if isinstance(event.meta, Mapping) else {}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _delta(changes: Any) -> str | None:
    """Return changes as the journal has them, ``None`` for none."""
    if changes is None:
        return None
    delta = decode_delta(_json(changes))
    return delta.encode() if delta else None


def _waiting(said: Mapping[str, Any]) -> str:
    until = said.get("until")
    return _json(Waiting(signal=said.get("signal"), until=None if until is None else float(until) / 1000))


def _pause(said: Mapping[str, Any]) -> str | None:
    """Return the back-off behind a failed attempt, in seconds."""
    return _json({"delay": said["delay"] / 1000}) if "delay" in said else None


def _error(event: TraceEvent) -> ErrorInfo:
    """Return the whole error, or what its one line says."""
    exception = _meta(event).get("exception")
    if exception is not None:
        return msgspec.convert(exception, ErrorInfo)
    kind, _, message = (event.error or "Error").partition(": ")
    return ErrorInfo(type=kind, message=message, step=event.step_name, text=f"{event.error}\n")

"""The events of a run told again from what its store has, where no trace of it is at hand.

A journal has when each attempt, compensation, signal and retry was. When a handler returned to wait, and how
a pass ended that was followed by a retry, is concluded. What the steps printed only a trace tells.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from flux_engine.back_off import BackOff, back_off_of
from flux_engine.execution import StepStatus
from flux_engine.journal import INTERRUPTED, RetryDetail, decode_error, waiting_of
from flux_engine.storage.base import EntryKind, JournalEntry
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model.beginning import beginning
from flux_tui.model.run import RunView

Placed = tuple[tuple[float, int, int], TraceEvent]
"""An event behind its place: its time, and where its entry and the parts of that stand in the journal."""

_CLOSING: Final[Mapping[str, str]] = {
    "completed": EventType.WORKFLOW_COMPLETE,
    "failed": EventType.WORKFLOW_ERROR,
    "cancelled": EventType.WORKFLOW_CANCEL,
    "paused": EventType.WORKFLOW_PAUSE,
    "interrupted": EventType.WORKFLOW_PAUSE,
    "suspended": EventType.WORKFLOW_SUSPEND,
}


def recounted(run: RunView) -> tuple[TraceEvent, ...]:
    """Return the events of a run in their order, from its journal; empty when that is not known."""
    if not run.journal:
        return ()
    placed = sorted(_Account(run).placed(), key=lambda each: each[0])
    events = [beginning(run), *(event for _, event in placed)]
    return (*events, *_closing(run, events[-1].timestamp))


class _Account:
    """Goes through a journal. ``tries`` counts the attempts of a pass, ``statuses`` has how steps stand."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._begun = run.started_at or 0.0
        self._latest = self._begun
        self._statuses: dict[str, StepStatus] = {}
        self._tries: dict[str, int] = {}
        self._seqs: dict[str, int] = {}
        self._signals: dict[int, str] = _signals(run.journal)
        self._retried = _retried(run.journal)
        self._let_go: set[float] = set()

    def placed(self) -> Iterator[Placed]:
        """Yield the events of each entry."""
        for entry in self._run.journal:
            match entry.kind:
                case EntryKind.ATTEMPT:
                    yield from self._attempt(entry)
                case EntryKind.RETRY:
                    yield from self._retry(entry)
                case EntryKind.SIGNAL:
                    yield self._signal(entry)
                case EntryKind.COMPENSATION:
                    yield from self._compensation(entry)

    def _attempt(self, entry: JournalEntry) -> Iterator[Placed]:
        status = self._statuses[entry.step] = entry.status or StepStatus.PENDING
        self._seqs[entry.step] = entry.seq
        if entry.attempt:
            self._tries[entry.step] = self._tries.get(entry.step, 0) + 1
            yield self._at(entry.started_at, entry, 0, EventType.STEP_START)
        signal = self._signals.get(entry.seq)
        if signal is not None:
            yield self._at(entry.started_at, entry, 1, EventType.STEP_SUSPEND, meta={"signal": signal})
        ended = _ended(entry, again=self._tried_again(entry))
        if ended is not None:
            retries = self._tries.get(entry.step, 1) - (ended["type"] != EventType.STEP_RETRY)
            at = entry.started_at if status is StepStatus.SUSPENDED else entry.completed_at
            yield self._at(at, entry, 3, retries=retries, duration=_duration(entry), **ended)
        elif status is StepStatus.CANCELLED:
            yield from self._left(entry)

    def _tried_again(self, entry: JournalEntry) -> BackOff | None:
        """Return the back-off behind a failed attempt; of older journals only that there was one is known."""
        return back_off_of(entry) or (BackOff(delay=0.0) if entry.seq in self._retried else None)

    def _left(self, entry: JournalEntry) -> Iterator[Placed]:
        """Tell once of a moment in which the run was let go in the middle; its steps begin anew."""
        self._tries[entry.step] = 0
        at, error = entry.completed_at, decode_error(entry.error)
        if at is not None and at not in self._let_go and error is not None and error.type == INTERRUPTED:
            self._let_go.add(at)
            event = self._of_run(at, EventType.WORKFLOW_PAUSE, meta={"interrupted": True})
            yield (event.timestamp, entry.seq, 3), event

    def _retry(self, entry: JournalEntry) -> Iterator[Placed]:
        detail = msgspec.json.decode(entry.detail or "{}", type=RetryDetail)
        closing = self._how_the_pass_ended() if detail.superseded else None
        if closing is not None:
            yield (self._latest, entry.seq, 0), replace(self._of_run(0.0, closing), timestamp=self._latest)
        for name in detail.superseded:
            self._statuses.pop(name, None)
            self._tries.pop(name, None)
        meta = {
            "retry": True,
            "fromStep": entry.step,
            "scope": detail.scope,
            "runsAgain": list(detail.superseded) or [entry.step],
            "edit": _value(entry.changes),
        }
        event = self._of_run(entry.started_at, EventType.WORKFLOW_START, meta=meta)
        yield (event.timestamp, entry.seq, 1), event

    def _how_the_pass_ended(self) -> str | None:
        stood = set(self._statuses.values())
        if StepStatus.FAILED in stood:
            return EventType.WORKFLOW_ERROR
        if StepStatus.CANCELLED in stood:
            return EventType.WORKFLOW_CANCEL
        done = all(self._statuses.get(step.name, StepStatus.PENDING).done for step in self._run.steps)
        return EventType.WORKFLOW_COMPLETE if done else None

    def _signal(self, entry: JournalEntry) -> Placed:
        """Tell of a signal before the end of the wait, whose entry is older."""
        meta = {"signal": _value(entry.detail)}
        waited = replace(entry, seq=self._seqs.get(entry.step, entry.seq), attempt=0)
        told = {"input": _value(entry.output), "meta": meta}
        return self._at(entry.started_at, waited, 2, EventType.SIGNAL_RECEIVED, **told)

    def _compensation(self, entry: JournalEntry) -> Iterator[Placed]:
        yield self._at(entry.started_at, entry, 0, EventType.STEP_COMPENSATE, status="running")
        if entry.completed_at is not None and entry.status is not None:
            yield self._at(
                entry.completed_at,
                entry,
                1,
                EventType.STEP_COMPENSATE,
                status=entry.status.value,
                duration=_duration(entry),
                **_error(entry),
            )

    def _at(self, seconds: float | None, entry: JournalEntry, part: int, type: str, **told: Any) -> Placed:  # noqa: A002
        step = self._run.step(entry.step)
        event = replace(
            self._of_run(seconds, type),
            step_name=entry.step,
            step_index=None if step is None else step.index,
            commit=None if step is None else step.commit,
            attempt=entry.attempt or None,
            max_retries=None if step is None or step.max_tries is None else step.max_tries - 1,
            **{"retries": max(self._tries.get(entry.step, 1) - 1, 0)} | told,
        )
        return (event.timestamp, entry.seq, part), event

    def _of_run(self, seconds: float | None, type: str, **told: Any) -> TraceEvent:  # noqa: A002
        at = max((seconds or 0.0) * 1000, self._begun)  # what a fork has copied is older than the run
        self._latest = max(self._latest, at)
        run = self._run
        return TraceEvent(type=type, timestamp=at, workflow_id=run.id, workflow_name=run.workflow, **told)


def _signals(journal: tuple[JournalEntry, ...]) -> dict[int, str]:
    """Return by the number of an attempt the signal that ended its wait."""
    attempts: dict[str, int] = {}
    found: dict[int, str] = {}
    for entry in journal:
        if entry.kind is EntryKind.ATTEMPT:
            attempts[entry.step] = entry.seq
        elif entry.kind is EntryKind.SIGNAL and entry.step in attempts:
            found[attempts[entry.step]] = str(_value(entry.detail))
    return found


def _retried(journal: tuple[JournalEntry, ...]) -> set[int]:
    """Return the numbers of the attempts that failed and were tried again in the same pass."""
    failed: dict[str, int] = {}
    found: set[int] = set()
    for entry in journal:
        if entry.kind is EntryKind.RETRY:
            for name in msgspec.json.decode(entry.detail or "{}", type=RetryDetail).superseded:
                failed.pop(name, None)
        elif entry.kind is EntryKind.ATTEMPT:
            if entry.step in failed:
                found.add(failed.pop(entry.step))
            if entry.status is StepStatus.FAILED:
                failed[entry.step] = entry.seq
    return found


def _ended(entry: JournalEntry, *, again: BackOff | None) -> dict[str, Any] | None:
    """Return what is told of the end of an attempt; ``None`` when it lasts, or was cancelled."""
    match entry.status:
        case StepStatus.COMPLETED:
            output = {} if entry.output is None else {"output": _value(entry.output)}
            changes = _value(entry.changes) or {"set": {}, "deleted": []}
            return {"type": EventType.STEP_COMPLETE, "changes": changes, "meta": output}
        case StepStatus.SKIPPED:
            return {"type": EventType.STEP_SKIPPED, "meta": {"reason": _value(entry.detail)}}
        case StepStatus.SUSPENDED:
            waiting = waiting_of(entry)
            until = None if waiting is None or waiting.until is None else waiting.until * 1000
            meta = {"signal": None if waiting is None else waiting.signal, "until": until}
            return {"type": EventType.STEP_SUSPEND, "meta": meta}
        case StepStatus.FAILED:
            told = _error(entry) | {"changes": _value(entry.changes)}
            if again is None:
                return {"type": EventType.STEP_ERROR} | told
            delay = {"delay": again.delay * 1000} if again.delay else {}
            return {"type": EventType.STEP_RETRY} | told | {"meta": told["meta"] | delay}
        case _:
            return None


def _error(entry: JournalEntry) -> dict[str, Any]:
    error = decode_error(entry.error)
    return {"error": str(error or ""), "meta": {} if error is None else {"exception": _value(entry.error)}}


def _duration(entry: JournalEntry) -> float | None:
    if entry.started_at is None or entry.completed_at is None:
        return None
    return max(entry.completed_at - entry.started_at, 0.0) * 1000


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _closing(run: RunView, latest: float) -> Iterator[TraceEvent]:
    """Tell how the run stands now, unless it moves."""
    if run.status not in _CLOSING:
        return
    error = {} if run.error is None else {"exception": msgspec.to_builtins(run.error)}
    yield TraceEvent(
        type=_CLOSING[run.status],
        timestamp=max(run.ended_at or run.updated_at, latest),
        workflow_id=run.id,
        workflow_name=run.workflow,
        status=run.status,
        duration=run.duration,
        error=None if run.error is None else str(run.error),
        data=None if run.final_data is None else dict(run.final_data),
        meta=error | ({"interrupted": True} if run.status == "interrupted" else {}),
    )

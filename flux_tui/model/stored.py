"""A run as the store has it, and which of two accounts of a run to show: the trace's or the store's."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from flux_engine.back_off import back_off_of
from flux_engine.execution import AttemptRecord, StepHistory, StepStatus, WorkflowState
from flux_engine.journal import RetryDetail, workflow_state
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord
from flux_tui.model import parse
from flux_tui.model.elsewhere import driver_of
from flux_tui.model.run import GraphSpec, NodeSpec, RunView, StepView, WaitView, graph_spec
from flux_tui.model.spans import FailedAttempt, Span, one_line

_LEFT = frozenset({StepStatus.RUNNING, StepStatus.CANCELLED})
"""How the step in progress is stored in a run that was left in the middle."""

_SLACK = 250.0
"""Milliseconds by which the store may be later than the trace and still tell of the same step forward."""


def from_journal(record: RunRecord, entries: Sequence[JournalEntry], now: float | None = None) -> RunView:
    """Return a stored run, with the attempts of the present pass told from those before a retry.

    ``now`` (seconds since the epoch) tells leases of other hosts that have ended.

    Raises ``StorageError`` or ``msgspec.MsgspecError`` when what is stored is damaged.
    """
    view = from_state(workflow_state(record, entries, decode=msgspec.json.decode, now=now))
    tries: dict[str, int] = {}
    left: set[str] = set()
    resumed = None
    passes: list[float] = []
    signals: dict[str, list[float]] = {}
    pauses: dict[str, float] = {}
    for entry in entries:
        if entry.kind is EntryKind.ATTEMPT:
            pauses |= _pause(entry)
        if entry.kind is EntryKind.RETRY:
            detail = msgspec.json.decode(entry.detail or "{}", type=RetryDetail)
            tries = {name: count for name, count in tries.items() if name not in detail.superseded}
            resumed = entry.started_at
            passes += [] if resumed is None else [resumed * 1000]
        elif entry.kind is EntryKind.SIGNAL and entry.started_at is not None:
            signals.setdefault(entry.step, []).append(entry.started_at * 1000)
        elif entry.attempt:
            tries[entry.step] = 1 if entry.step in left else tries.get(entry.step, 0) + 1
            left = left | {entry.step} if entry.status is StepStatus.CANCELLED else left - {entry.step}
    since = view.started_at if resumed is None else resumed * 1000
    return replace(
        view,
        steps=tuple(
            replace(
                step,
                status=_between_tries(view, step, tries.get(step.name, 0)),
                tries=tries.get(step.name, 0),
                tried=tuple(_awaited(step.tried, signals.get(step.name, ()))),
                waiting_until=_again_at(view, step, pauses),
            )
            for step in view.steps
        ),
        driver=driver_of(record.owner),
        resumed_at=None if resumed is None else since,
        passes=tuple(passes),
        journal=tuple(entries),
        duration=None if view.ended_at is None or since is None else max(view.ended_at - since, 0.0),
    )


def _between_tries(view: RunView, step: StepView, tries: int) -> str:
    """Return the status of a step, which goes on for as long as a failed attempt is tried again."""
    again = step.max_tries is not None and tries < step.max_tries
    return "running" if step.status == "failed" and view.status == "running" and again else step.status


def _pause(entry: JournalEntry) -> dict[str, float]:
    """Return until when, in milliseconds, the step of a failed attempt is backed off; 0 for another one."""
    pause, ended = back_off_of(entry), entry.completed_at
    return {entry.step: 0.0 if pause is None or ended is None else (ended + pause.delay) * 1000}


def _again_at(view: RunView, step: StepView, pauses: Mapping[str, float]) -> float | None:
    waits = step.status == "failed" and view.status == "running"
    return pauses.get(step.name) or None if waits else None


def _awaited(tried: Sequence[Span], signals: Sequence[float]) -> Iterator[Span]:
    """Tell attempts that a signal ended for the waits they were; when the handler returned is not stored."""
    for span in tried:
        end = span.end if span.end is not None else span.start
        if any(span.start <= at <= end for at in signals):
            yield replace(span, end=span.start, status="suspended", took=None)
            yield Span(kind="wait", start=span.start, end=end, status="completed", note="waits for a signal")
        else:
            yield span


def from_state(state: WorkflowState) -> RunView:
    """Return the run as the dashboard shows it; its values are in the tagged form of the codec."""
    nodes = graph_spec(state.graph)
    graph = nodes if nodes.nodes else _chain(state.history)
    specs = {node.name: node for node in graph.nodes}
    started, ended = _ms(state.created_at), _ms(state.completed_at)
    return RunView(
        id=state.id,
        workflow=state.name,
        status="interrupted" if state.interrupted else state.status.value,
        input=parse.plain(state.input),
        graph=graph,
        steps=tuple(_step(entry, specs.get(entry.name), state) for entry in state.history),
        started_at=started,
        updated_at=_ms(state.updated_at) or 0.0,
        ended_at=ended,
        duration=None if ended is None or started is None else max(ended - started, 0.0),
        error=state.error,
        final_data=state.data if state.status.ended else None,
    )


def _step(entry: StepHistory, node: NodeSpec | None, state: WorkflowState) -> StepView:
    most = None if node is None or node.retries is None else node.retries + 1
    last = entry.attempt_log[-1] if entry.attempt_log else None
    lost = last.changes if last is not None and last.status == "failed" else None
    return StepView(
        name=entry.name,
        index=entry.index,
        status="interrupted" if state.interrupted and entry.status in _LEFT else entry.status.value,
        commit=entry.commit,
        conditional=node is not None and node.conditional,
        attempt=entry.attempts,
        tries=entry.attempts if most is None else min(entry.attempts, most),
        max_tries=most,
        started_at=_ms(entry.started_at),
        ended_at=_ms(entry.completed_at),
        duration=None if entry.duration is None else entry.duration * 1000,
        error=entry.error,
        reason=entry.reason,
        waits_for=_wait(entry),
        compensation=None if entry.compensation_error is None else "failed",
        compensation_error=entry.compensation_error,
        output=entry.output,
        changes=entry.changes,
        edit=entry.edit or None,
        discarded=lost or None,
        fingerprint=last.fingerprint if last is not None else "" if node is None else node.fingerprint,
        tried=tuple(_span(attempt) for attempt in entry.attempt_log if attempt.started_at is not None),
        failures=tuple(_failures(entry)),
    )


def _failures(entry: StepHistory) -> Iterator[FailedAttempt]:
    for attempt in entry.attempt_log:
        if attempt.error is not None:
            ended = _ms(attempt.completed_at) or _ms(attempt.started_at) or 0.0
            took = None if attempt.duration is None else attempt.duration * 1000
            yield FailedAttempt(number=attempt.number, error=attempt.error, timestamp=ended, duration=took)


def _span(attempt: AttemptRecord) -> Span:
    start, end = _ms(attempt.started_at) or 0.0, _ms(attempt.completed_at)
    return Span(
        kind="attempt",
        start=start,
        end=start if attempt.status is StepStatus.SUSPENDED else end,
        status=attempt.status.value,
        attempt=attempt.number,
        took=None if attempt.duration is None else attempt.duration * 1000,
        note="" if attempt.error is None else one_line(attempt.error),
    )


def _wait(entry: StepHistory) -> WaitView | None:
    found = entry.waits_for
    if found is None:
        return None
    return WaitView(signal=found.signal, until=_ms(found.until), in_doubt=found.in_doubt)


def _chain(history: tuple[StepHistory, ...]) -> GraphSpec:
    nodes = tuple(NodeSpec(name=entry.name, index=entry.index, commit=entry.commit) for entry in history)
    return GraphSpec(nodes=nodes, edges=tuple(pairwise(node.name for node in nodes)), guessed=True)


def _ms(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp() * 1000


def newer(from_trace: RunView | None, from_store: RunView | None) -> RunView | None:
    """Choose which account of a run to show.

    The trace's, unless it lacks the start, or the store knows of something later. That nobody has a
    run in hand any more only the store can know, and at which breakpoints it was paused only the trace; it
    is laid over what the other tells.
    """
    if from_trace is None or from_store is None:
        return from_trace or from_store
    if from_trace.before and from_trace.status == from_store.status == "paused":
        from_store = replace(from_store, before=from_trace.before)
    return _newer(from_trace, from_store)


def _newer(from_trace: RunView, from_store: RunView) -> RunView:
    if from_trace.started_at is None or (from_store.knows_data and not from_trace.knows_data):
        return from_store
    lead = from_store.updated_at - from_trace.updated_at
    if from_trace.status in {"pending", "running"}:
        if from_store.status == "interrupted" and lead > -_SLACK:
            return from_store if lead > _SLACK else interrupted(from_trace)
        if from_store.ended_at is not None and lead >= 0:
            return from_store
    if from_trace.status == from_store.status == "suspended" and lead > -_SLACK:
        return from_store  # it also knows of commits that are held
    return from_store if lead > _SLACK else from_trace


def at_rest(view: RunView) -> RunView:
    """Return the run without the back-offs in which it was paused: its latest attempts are those before."""
    steps = tuple(
        step if step.waiting_until is None else replace(step, status="failed", waiting_until=None)
        for step in view.steps
    )
    return replace(view, steps=steps)


def interrupted(view: RunView) -> RunView:
    """Return the run as one that nobody has in hand any more."""
    steps = tuple(
        replace(step, status="interrupted", waiting_until=None)
        if step.status == "running"
        else replace(step, compensation=None)
        if step.compensation == "running"
        else step
        for step in view.steps
    )
    return replace(view, status="interrupted", steps=steps)

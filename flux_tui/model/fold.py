"""Turns news into the run on screen: one event after the other, or the whole of what the store has.

The trace of the ancestor states no graph and does not close a run that failed in a step; its graph is
guessed from the steps that were seen, and the step's error ends the run.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from flux_engine.execution import Changes, ErrorInfo
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.parse import logs
from flux_tui.model.run import GraphSpec, NodeSpec, RunView, StepView, WaitView, graph_spec
from flux_tui.model.stored import at_rest, from_state, interrupted, newer

__all__ = ["apply", "from_state", "logs", "newer"]

_KEPT = frozenset({"completed", "skipped", "suspended"})
"""How steps stand that a run which goes on leaves as they are: done, or waiting."""

StepChange = Callable[[StepView, TraceEvent], StepView]
RunChange = Callable[[RunView, TraceEvent], RunView]


def apply(view: RunView | None, event: TraceEvent) -> RunView | None:
    """Return the run as it is after the event; the same view when the event says nothing about it."""
    if view is not None and view.id != event.workflow_id:
        return view
    if event.type == EventType.WORKFLOW_START:
        return _sent_on(view, event) if _goes_on(event) else _begun(event)
    change = _STEP_EVENTS.get(event.type)
    closing = _RUN_EVENTS.get(event.type)
    if change is None and closing is None:
        return view
    known = view or _unbegun(event)
    known = replace(known, updated_at=max(known.updated_at, event.timestamp))
    if closing is not None:
        return closing(replace(known, worked=known.worked + parse.pass_time(event)), event)
    return known if change is None else _step_moved(known, event, change)


def _unbegun(event: TraceEvent) -> RunView:
    return RunView(
        id=event.workflow_id, workflow=event.workflow_name, status="running", graph=GraphSpec(guessed=True)
    )


def _begun(event: TraceEvent) -> RunView:
    graph = graph_spec(event.graph)
    return RunView(
        id=event.workflow_id,
        workflow=event.workflow_name,
        status="running",
        input=parse.plain(event.input),
        graph=graph if graph.nodes else GraphSpec(guessed=True),
        steps=tuple(_unstarted(node) for node in graph.nodes),
        started_at=event.timestamp,
        updated_at=event.timestamp,
    )


def _unstarted(node: NodeSpec) -> StepView:
    return StepView(
        name=node.name,
        index=node.index,
        commit=node.commit,
        conditional=node.conditional,
        fingerprint=node.fingerprint,
        max_tries=None if node.retries is None else node.retries + 1,
    )


# A run that goes on


def _goes_on(event: TraceEvent) -> bool:
    said = parse.meta(event)
    return said.get("retry") is True or said.get("resume") is True


def _sent_on(view: RunView | None, event: TraceEvent) -> RunView:
    known = view or replace(_begun(event), started_at=None)
    graph = graph_spec(event.graph)
    if graph.nodes:
        old = {step.name: step for step in known.steps}
        steps = tuple(_redefined(old.get(node.name), node) for node in graph.nodes)
        known = replace(known, graph=graph, steps=steps)
    said = parse.meta(event)
    again, start = _runs_again(known, said), said.get("fromStep")
    edit = parse.changes(said.get("edit"))
    prints = {node.name: node.fingerprint for node in known.graph.nodes}
    return replace(
        _running(known, event),
        steps=tuple(
            step
            if step.name not in again
            else _reset(step, _edited(step.edit, edit) if step.name == start else None, prints.get(step.name))
            for step in known.steps
        ),
    )


def _edited(before: Changes | None, edit: Changes | None) -> Changes | None:
    """An edit stays with its step until a retry from further up makes the data anew."""
    if before is None or edit is None:
        return edit or before
    deleted = (key for key in before.deleted if key not in edit.set)
    return Changes(set=edit.apply(before.set), deleted=tuple(dict.fromkeys((*deleted, *edit.deleted))))


def _redefined(step: StepView | None, node: NodeSpec) -> StepView:
    fresh = _unstarted(node)
    if step is None:
        return fresh
    return replace(step, index=node.index, commit=node.commit, conditional=node.conditional)


def _runs_again(view: RunView, said: Mapping[str, Any]) -> frozenset[str]:
    start = said.get("fromStep")
    if isinstance(said.get("runsAgain"), list | tuple):
        return frozenset(parse.names(said["runsAgain"]))
    if isinstance(start, str) and said.get("retry") is True:
        if said.get("scope") == "only":
            return frozenset({start})
        step = view.step(start)
        start = None if step is None else step.index
    if isinstance(start, int):
        return frozenset(step.name for step in view.steps if step.index >= start)
    return frozenset(step.name for step in view.steps if step.status not in _KEPT)


def _reset(step: StepView, edit: Changes | None, fingerprint: str | None = None) -> StepView:
    return StepView(
        name=step.name,
        index=step.index,
        commit=step.commit,
        conditional=step.conditional,
        attempt=step.attempt,
        max_tries=step.max_tries,
        edit=edit,
        fingerprint=fingerprint or step.fingerprint,
    )


def _running(view: RunView, event: TraceEvent) -> RunView:
    return replace(
        view,
        status="running",
        worked=view.worked + view.unclosed,
        resumed_at=event.timestamp,
        updated_at=max(view.updated_at, event.timestamp),
        ended_at=None,
        duration=None,
        error=None,
        final_data=None,
    )


# Steps


def _step_moved(view: RunView, event: TraceEvent, change: StepChange) -> RunView:
    if not event.step_name:
        return view
    if event.type == EventType.STEP_START and view.status != "running":
        view = _woken(view, event)
    view, at = _located(view, event.step_name, event.step_index)
    step = change(view.steps[at], event)
    if event.commit is not None:
        step = replace(step, commit=event.commit)
    view = replace(view, steps=(*view.steps[:at], step, *view.steps[at + 1 :]))
    if event.type == EventType.STEP_SUSPEND and not any(step.status == "running" for step in view.steps):
        return replace(view, status="suspended")
    if event.type == EventType.STEP_ERROR and view.graph.guessed:
        return _closed(view, event, "failed")
    return view


def _woken(view: RunView, event: TraceEvent) -> RunView:
    """The ancestor resumes without a word about the run: its first step says so in ``meta``."""
    start = parse.meta(event).get("fromStep")
    if _goes_on(event) and isinstance(start, int):
        steps = (_reset(step, None) if step.index >= start else step for step in view.steps)
        view = replace(view, steps=tuple(steps))
    return _running(view, event)


def _located(view: RunView, name: str, index: int | None) -> tuple[RunView, int]:
    steps = view.steps
    if index is not None and 0 <= index < len(steps) and steps[index].name == name:
        return view, index
    for at, step in enumerate(steps):
        if step.name == name:
            return view, at
    place = max(index, 0) if index is not None and view.graph.guessed else len(steps)
    at = bisect_right(steps, place, key=lambda step: step.index) if view.graph.guessed else len(steps)
    node = NodeSpec(name=name, index=place)
    nodes = (*view.graph.nodes[:at], node, *view.graph.nodes[at:])
    edges = view.graph.edges
    if view.graph.guessed:
        edges = tuple(pairwise(each.name for each in nodes))
    graph = GraphSpec(nodes=nodes, edges=edges, guessed=view.graph.guessed)
    return replace(view, graph=graph, steps=(*steps[:at], _unstarted(node), *steps[at:])), at


def _tries(step: StepView, event: TraceEvent) -> tuple[int, int | None]:
    tries = step.tries if event.retries is None else max(event.retries, 0) + 1
    return tries, step.max_tries if event.max_retries is None else max(event.max_retries, 0) + 1


def _started(step: StepView, event: TraceEvent) -> StepView:
    tries, most = _tries(step, event)
    return replace(
        step,
        status="running",
        attempt=event.attempt or step.attempt + 1,
        tries=max(tries, 1),
        max_tries=most,
        started_at=event.timestamp,
        ended_at=None,
        duration=None,
        waiting_until=None,
        reason=None,
        waits_for=None,
    )


def _waiting(step: StepView, event: TraceEvent) -> StepView:
    tries, most = _tries(step, event)
    delay = parse.number(parse.meta(event).get("delay"))
    return replace(
        step,
        status="running",
        attempt=event.attempt or step.attempt + 1,
        tries=tries,
        max_tries=most,
        waiting_until=None if delay is None else event.timestamp + delay,
        error=parse.error(event) or step.error,
        discarded=parse.changes(event.changes),
    )


def _ended(step: StepView, event: TraceEvent, status: str) -> StepView:
    tries, most = _tries(step, event)
    duration = event.duration if event.step_name == step.name else None
    if duration is None and step.started_at is not None:
        duration = max(event.timestamp - step.started_at, 0.0)
    return replace(
        step,
        status=status,
        attempt=event.attempt or step.attempt,
        tries=tries,
        max_tries=most,
        ended_at=event.timestamp,
        duration=duration,
        waiting_until=None,
        waits_for=None,
    )


def _completed(step: StepView, event: TraceEvent) -> StepView:
    return replace(
        _ended(step, event, "completed"),
        error=None,
        discarded=None,
        output=parse.meta(event).get("output"),
        changes=parse.changes(event.changes),
    )


def _failed(step: StepView, event: TraceEvent) -> StepView:
    return replace(
        _ended(step, event, "failed"),
        error=parse.error(event) or step.error,
        discarded=parse.changes(event.changes),
        changes=Changes() if event.changes is not None else step.changes,
    )


def _skipped(step: StepView, event: TraceEvent) -> StepView:
    reason = parse.meta(event).get("reason")
    begun = step.status == "running" and not event.attempt
    return replace(
        _ended(step, event, "skipped"),
        attempt=step.attempt - 1 if begun else step.attempt,
        tries=0,
        started_at=None,
        duration=None,
        reason=reason if isinstance(reason, str) else None,
        changes=Changes() if step.changes is None and event.changes is not None else step.changes,
    )


def _suspended(step: StepView, event: TraceEvent) -> StepView:
    said = parse.meta(event)
    signal = said.get("signal")
    named = signal if isinstance(signal, str) else None
    return replace(
        step,
        status="suspended",
        waiting_until=None,
        reason=None if named is None else f"waiting for {named}",
        waits_for=WaitView(signal=named, until=parse.number(said.get("until"))),
    )


def _compensated(step: StepView, event: TraceEvent) -> StepView:
    if event.status in ("running", "failed"):
        error = parse.error(event) if event.status == "failed" else None
        return replace(step, compensation=event.status, compensation_error=error)
    return replace(step, status="compensated", compensation=None, compensation_error=None, waiting_until=None)


# The run as a whole


def _closed(view: RunView, event: TraceEvent, status: str) -> RunView:
    since = view.started_at if view.resumed_at is None else view.resumed_at
    duration = event.duration if event.step_name is None else None
    if duration is None and since is not None:
        duration = max(event.timestamp - since, 0.0)
    error = _why(view, parse.error(event)) if status == "failed" else None
    data = event.data if event.step_name is None else None
    return replace(
        view,
        status=status,
        steps=tuple(_left(step, event, status, error) for step in view.steps),
        ended_at=event.timestamp,
        duration=duration,
        error=error,
        final_data=data if isinstance(data, dict) else view.final_data,
    )


def _why(view: RunView, said: ErrorInfo | None) -> ErrorInfo | None:
    """Prefer what the failed step knows to the same thing said with less."""
    step = view.failed_step
    if step is None or step.error is None:
        return said
    return step.error if said is None or not said.frames else said


def _left(step: StepView, event: TraceEvent, status: str, error: ErrorInfo | None) -> StepView:
    """A step still open when its run has ended went the way of the run."""
    if step.status != "running" and not (status == "cancelled" and step.status == "suspended"):
        return step
    return replace(_ended(step, event, status), error=error or step.error)


def _closing(status: str) -> RunChange:
    return lambda view, event: _closed(view, event, status)


def _suspended_run(view: RunView, _event: TraceEvent) -> RunView:
    return replace(view, status="suspended")


def _paused_run(view: RunView, event: TraceEvent) -> RunView:
    """The engine lets a run go in the middle with the same event, and says so."""
    said = parse.meta(event)
    if said.get("interrupted") is True:
        return interrupted(view)
    return replace(at_rest(view), status="paused", before=parse.names(said.get("before")))


def _signalled_run(view: RunView, event: TraceEvent) -> RunView:
    """A signal ends the wait of its step, else of the first suspended one, with its payload as the output."""
    suspended = [step for step in view.steps if step.status == "suspended"]
    waiting = next((step for step in suspended if step.name == event.step_name), None)
    waiting = waiting or next(iter(suspended), None)
    if waiting is None:
        return view
    done = replace(_ended(waiting, event, "completed"), reason=None, output=event.input)
    steps = tuple(done if step is waiting else step for step in view.steps)
    return replace(view, status="running", steps=steps)


_STEP_EVENTS: dict[str, StepChange] = {
    EventType.STEP_START: _started,
    EventType.STEP_RETRY: _waiting,
    EventType.STEP_COMPLETE: _completed,
    EventType.STEP_ERROR: _failed,
    EventType.STEP_SKIPPED: _skipped,
    EventType.STEP_SUSPEND: _suspended,
    EventType.STEP_COMPENSATE: _compensated,
}

_RUN_EVENTS: dict[str, RunChange] = {
    EventType.WORKFLOW_COMPLETE: _closing("completed"),
    EventType.WORKFLOW_ERROR: _closing("failed"),
    EventType.WORKFLOW_CANCEL: _closing("cancelled"),
    EventType.WORKFLOW_SUSPEND: _suspended_run,
    EventType.WORKFLOW_PAUSE: _paused_run,
    EventType.SIGNAL_RECEIVED: _signalled_run,
}

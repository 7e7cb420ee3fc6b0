"""What a trace comes to: its runs by workflow and outcome, and how long runs and steps took.

Takes one event at a time and keeps a few bytes of it, so that a trace of gigabytes can be summed up.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

import msgspec
from msgspec import Struct

from flux_engine.trace.events import EventType, TraceEvent

_ENDS: Final = {
    EventType.WORKFLOW_COMPLETE: "completed",
    EventType.WORKFLOW_ERROR: "failed",
    EventType.WORKFLOW_CANCEL: "cancelled",
    EventType.WORKFLOW_SUSPEND: "suspended",
    EventType.WORKFLOW_PAUSE: "paused",
    EventType.WORKFLOW_DELETE: "deleted",
    EventType.WORKFLOW_START: "running",
}
_STEP_ENDS: Final = frozenset({EventType.STEP_COMPLETE, EventType.STEP_ERROR})


class Durations(Struct, frozen=True, kw_only=True):
    """How long something took: how often that is known, and milliseconds of the middle and of the slow."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None


class StepStats(Struct, frozen=True, kw_only=True):
    """A step over all runs. ``retries`` are attempts beyond the first of a pass."""

    name: str
    completed: int
    failed: int
    skipped: int
    retries: int
    durations: Durations


class WorkflowStats(Struct, frozen=True, kw_only=True):
    """A workflow over all its runs. ``statuses`` counts how the runs stand at the end of the trace."""

    name: str
    runs: int
    statuses: Mapping[str, int]
    durations: Durations
    steps: tuple[StepStats, ...]


class TraceStats(Struct, frozen=True, kw_only=True):
    """The whole. ``first`` and ``last`` are the times of events in milliseconds since the epoch."""

    events: int
    runs: int
    first: float | None
    last: float | None
    types: Mapping[str, int]
    workflows: tuple[WorkflowStats, ...]


class _Step:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.took = array("f")


class _Workflow:
    def __init__(self) -> None:
        self.took = array("f")
        self.steps: dict[str, _Step] = {}


class TraceTally:
    """Sums up events. A run that has no name for its workflow counts for the one it had before."""

    def __init__(self) -> None:
        self._types: Counter[str] = Counter()
        self._runs: dict[str, tuple[str, str]] = {}
        self._workflows: dict[str, _Workflow] = {}
        self._first: float | None = None
        self._last: float | None = None

    def add(self, event: TraceEvent) -> None:
        """Take one event."""
        self._types[event.type] += 1
        at = event.timestamp
        self._first = at if self._first is None else min(self._first, at)
        self._last = at if self._last is None else max(self._last, at)
        if not event.workflow_id:
            return
        name, status = self._runs.get(event.workflow_id, (event.workflow_name, "running"))
        name = name or event.workflow_name
        workflow = self._workflows.get(name)
        if workflow is None:
            workflow = self._workflows[name] = _Workflow()
        if event.step_name is not None:
            _add_step(workflow, event, event.step_name)
        elif event.type in _ENDS:
            status = _ENDS[EventType(event.type)]
            if event.duration is not None:
                workflow.took.append(event.duration)
        self._runs[event.workflow_id] = (name, status)

    def stats(self) -> TraceStats:
        """Return what all events so far come to."""
        statuses: dict[str, Counter[str]] = {}
        for name, status in self._runs.values():
            statuses.setdefault(name, Counter())[status] += 1
        return TraceStats(
            events=self._types.total(),
            runs=len(self._runs),
            first=self._first,
            last=self._last,
            types=dict(self._types.most_common()),
            workflows=tuple(
                WorkflowStats(
                    name=name,
                    runs=statuses.get(name, Counter()).total(),
                    statuses=dict(statuses.get(name, Counter()).most_common()),
                    durations=durations(workflow.took),
                    steps=tuple(_step_stats(*item) for item in workflow.steps.items()),
                )
                for name, workflow in sorted(self._workflows.items())
            ),
        )


def _add_step(workflow: _Workflow, event: TraceEvent, name: str) -> None:
    step = workflow.steps.get(name)
    if step is None:
        step = workflow.steps[name] = _Step()
    step.counts[event.type] += 1
    if event.type in _STEP_ENDS and event.duration is not None:
        step.took.append(event.duration)


def _step_stats(name: str, step: _Step) -> StepStats:
    return StepStats(
        name=name,
        completed=step.counts[EventType.STEP_COMPLETE],
        failed=step.counts[EventType.STEP_ERROR],
        skipped=step.counts[EventType.STEP_SKIPPED],
        retries=step.counts[EventType.STEP_RETRY],
        durations=durations(step.took),
    )


def durations(took: Sequence[float]) -> Durations:
    """Return the count and the percentiles of durations, each percentile being one of them (nearest rank)."""
    if not took:
        return Durations()
    ordered = sorted(took)
    return Durations(count=len(ordered), p50=_percentile(ordered, 50), p95=_percentile(ordered, 95))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return round(ordered[ceil(len(ordered) * percent / 100) - 1], 3)


def as_json(stats: TraceStats, *, source: str, size: int | None, bad_lines: int) -> dict[str, Any]:
    """Return the stats as JSON values; ``source`` is the file, ``size`` its bytes."""
    found: dict[str, Any] = {"file": source, "bytes": size, "bad_lines": bad_lines}
    return {**found, **msgspec.to_builtins(stats)}

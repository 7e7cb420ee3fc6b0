"""When each step of a run did what: attempts, the back-offs between them, waits, and what was taken back.

Told by the trace, event by event; by the store alone when there is no trace, with less.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.run import RunView, StepView
from flux_tui.model.spans import Kind, Span, one_line

UNTOLD: Final = "the trace does not tell when it began"

ENDINGS: Final[Mapping[str, str]] = {
    EventType.WORKFLOW_COMPLETE: "completed",
    EventType.WORKFLOW_ERROR: "failed",
    EventType.WORKFLOW_CANCEL: "cancelled",
}


class Lane(Struct, frozen=True, kw_only=True):
    """The spans of one step in the order in which they began."""

    step: str
    spans: tuple[Span, ...] = ()


class Timeline(Struct, frozen=True, kw_only=True):
    """All steps of a run. ``end`` is ``None`` as long as the run goes on or waits.

    ``passes`` are the times at which the run was sent on its way again.
    """

    lanes: tuple[Lane, ...] = ()
    start: float = 0.0
    end: float | None = None
    passes: tuple[float, ...] = ()


class Totals(Struct, frozen=True, kw_only=True):
    """How the time of a run was spent, in milliseconds of wall-clock time: what overlaps counts once."""

    took: float
    handlers: float
    waiting: float

    @property
    def idle(self) -> float:
        """The time in which no step did anything."""
        return max(self.took - self.handlers - self.waiting, 0.0)


def timeline(run: RunView, events: Sequence[TraceEvent]) -> Timeline:
    """Return the timeline of a run: by its events, or by the store's account when there are none."""
    history = History()
    history.follow(events)
    return history.timeline(run)


class History:
    """The spans of one run at a time. ``follow`` takes in what is new, or turns to another run."""

    def __init__(self) -> None:
        self._begin(())

    def _begin(self, events: Sequence[TraceEvent]) -> None:
        self._events, self._read = events, 0
        self._spans: dict[str, list[Span]] = {}
        self._passes: list[float] = []
        self._start: float | None = None
        self._latest = 0.0
        self._end: float | None = None
        self._made: tuple[RunView, int, Timeline] | None = None

    def follow(self, events: Sequence[TraceEvent]) -> None:
        """Take in the events of a run: a list that is appended to, and replaced when it is read anew."""
        if events is not self._events or len(events) < self._read:
            self._begin(events)
        for place in range(self._read, len(events)):
            event = events[place]
            if event.type != EventType.STEP_LOG:
                self._start = event.timestamp if self._start is None else self._start
                self._take(event)
            self._latest = max(self._latest, event.timestamp)
        self._read = len(events)

    def timeline(self, run: RunView) -> Timeline:
        """Return what is known by now, with a lane for each step of the run; by the store without a trace."""
        if not self._events:
            return from_store(run)
        made = self._made
        if made is None or made[0] is not run or made[1] != self._read:
            made = self._made = (run, self._read, self._make(run))
        return made[2]

    def _make(self, run: RunView) -> Timeline:
        names = dict.fromkeys([*(step.name for step in run.steps), *self._spans])
        lanes = tuple(Lane(step=name, spans=tuple(self._spans.get(name, ()))) for name in names)
        over = run.status not in ("running", "pending", "suspended")
        if over and self._end is None:
            lanes = tuple(_abandoned(lane, self._latest, run.status) for lane in lanes)
        end = self._end if self._end is not None or not over else self._latest
        return Timeline(lanes=lanes, start=self._start or 0.0, end=end, passes=tuple(self._passes))

    def _take(self, event: TraceEvent) -> None:
        at, kind = event.timestamp, event.type
        if kind == EventType.WORKFLOW_START:
            self._close_all(self._latest, "interrupted", waits=False)
            if parse.meta(event).keys() & {"retry", "resume"}:
                self._passes.append(at)
            self._end = None
        elif kind in ENDINGS:
            self._close_all(at, ENDINGS[kind])
            self._end = at
        elif kind == EventType.WORKFLOW_PAUSE:
            if parse.meta(event).get("interrupted") is True:
                self._close_all(at, "interrupted", waits=False)
            self._end = at
        elif kind == EventType.SIGNAL_RECEIVED:
            self._signalled(event)
        elif event.step_name is not None:
            self._end = None
            self._step(event, self._spans.setdefault(event.step_name, []))

    def _step(self, event: TraceEvent, spans: list[Span]) -> None:
        at = event.timestamp
        match event.type:
            case EventType.STEP_START:
                _close(spans, at, "interrupted" if _open(spans, "attempt") else "completed")
                spans.append(Span(kind="attempt", start=at, attempt=_number(event, spans, begins=True)))
            case EventType.STEP_COMPLETE:
                _ended(spans, event, "completed")
            case EventType.STEP_ERROR:
                _ended(spans, event, "failed")
            case EventType.STEP_RETRY:
                delay = parse.number(parse.meta(event).get("delay"))
                _ended(spans, event, "failed", delay)
                spans.append(Span(kind="back-off", start=at, delay=delay))
            case EventType.STEP_SUSPEND:
                _ended(spans, event, "suspended")
                spans.append(Span(kind="wait", start=at, note=_awaited(event)))
            case EventType.STEP_SKIPPED:
                if _open(spans, "attempt"):
                    spans.pop()
                reason = parse.meta(event).get("reason")
                note = one_line(reason) if isinstance(reason, str) else ""
                spans.append(Span(kind="skipped", start=at, end=at, status="skipped", note=note))
            case EventType.STEP_COMPENSATE:
                _compensated(spans, event)

    def _signalled(self, event: TraceEvent) -> None:
        self._end = None
        waiting = [name for name, spans in self._spans.items() if _open(spans, "wait")]
        name = event.step_name if event.step_name in waiting else next(iter(waiting), None)
        if name is not None:
            _close(self._spans[name], event.timestamp, "completed")

    def _close_all(self, at: float, status: str, *, waits: bool = True) -> None:
        for spans in self._spans.values():
            if waits or not _open(spans, "wait"):
                _close(spans, at, status)


def _open(spans: Sequence[Span], kind: Kind) -> bool:
    return bool(spans) and spans[-1].end is None and spans[-1].kind == kind


def _close(spans: list[Span], at: float, status: str) -> None:
    if spans and spans[-1].end is None:
        spans[-1] = replace(spans[-1], end=max(at, spans[-1].start), status=status)


def _ended(spans: list[Span], event: TraceEvent, status: str, delay: float | None = None) -> None:
    """Close the attempt in progress; one whose beginning nobody told began where its duration says."""
    at, begins_unknown = event.timestamp, False
    if not _open(spans, "attempt"):
        waited = bool(spans) and spans[-1].kind in ("back-off", "wait")
        if waited:
            _close(spans, at, "completed")
            if spans[-1].kind == "wait":
                return
        if status == "completed" and spans and spans[-1].kind == "wait":
            return
        begins_unknown = waited or event.duration is None
        start = at if begins_unknown or event.duration is None else at - max(event.duration, 0.0)
        spans.append(Span(kind="attempt", start=start, attempt=_number(event, spans, begins=True)))
    error = parse.error(event)
    took = max(at - spans[-1].start, 0.0)
    spans[-1] = replace(
        spans[-1],
        end=max(at, spans[-1].start),
        status=status,
        attempt=event.attempt or spans[-1].attempt,
        took=took if begins_unknown or event.duration is None else event.duration,
        delay=delay,
        note=one_line(error) if error is not None else UNTOLD if begins_unknown else "",
    )


def _compensated(spans: list[Span], event: TraceEvent) -> None:
    at = event.timestamp
    if event.status == "running":
        _close(spans, at, "interrupted")
        spans.append(Span(kind="compensation", start=at))
        return
    if not _open(spans, "compensation"):
        spans.append(Span(kind="compensation", start=at))
    failed = event.status == "failed"
    error = parse.error(event) if failed else None
    spans[-1] = replace(
        spans[-1],
        end=at,
        status="failed" if failed else "compensated",
        took=at - spans[-1].start,
        note="" if error is None else one_line(error),
    )


def _number(event: TraceEvent, spans: Sequence[Span], *, begins: bool) -> int:
    made = sum(span.kind == "attempt" for span in spans)
    return event.attempt or made + begins


def _awaited(event: TraceEvent) -> str:
    signal = parse.meta(event).get("signal")
    return one_line(f"waits for {signal}") if isinstance(signal, str) else "sleeps"


def _abandoned(lane: Lane, at: float, status: str) -> Lane:
    spans = list(lane.spans)
    _close(spans, at, status)
    return replace(lane, spans=tuple(spans))


# By the store


def from_store(run: RunView) -> Timeline:
    """Return what the store knows of a run's times: its attempts, and the gaps between them."""
    lanes = tuple(Lane(step=step.name, spans=tuple(_stored(step, run.passes))) for step in run.steps)
    starts = [span.start for lane in lanes for span in lane.spans]
    start = run.started_at if run.started_at is not None else min(starts, default=0.0)
    over = run.status not in ("running", "pending", "suspended")
    if over:
        lanes = tuple(_abandoned(lane, run.updated_at, run.status) for lane in lanes)
    end = run.ended_at if run.ended_at is not None or not over else run.updated_at
    return Timeline(lanes=lanes, start=start, end=end, passes=run.passes)


def _stored(step: StepView, passes: Sequence[float]) -> Iterable[Span]:
    before: Span | None = None
    for tried in step.tried:
        if before is not None and before.status == "failed" and before.end is not None:
            begun = tried.start
            if not any(before.end <= at <= begun for at in passes):
                yield Span(kind="back-off", start=before.end, end=begun, status="completed")
        yield tried
        before = tried
    if step.status == "suspended" and before is not None:
        signal = None if step.waits_for is None else step.waits_for.signal
        yield Span(kind="wait", start=before.start, note=f"waits for {signal}" if signal else "sleeps")
    if step.status == "skipped" and step.ended_at is not None:
        at = step.ended_at
        yield Span(kind="skipped", start=at, end=at, status="skipped", note=step.reason or "")


# Totals


def totals(line: Timeline, now: float) -> Totals:
    """Return how the time of a run was spent by ``now``."""
    end = now if line.end is None else line.end
    spans = [span for lane in line.lanes for span in lane.spans]
    busy = union(spans, ("attempt", "compensation"), now)
    all_of_it = union(spans, ("attempt", "compensation", "back-off", "wait"), now)
    handlers = sum(stop - start for start, stop in busy)
    both = sum(stop - start for start, stop in all_of_it)
    return Totals(took=max(end - line.start, 0.0), handlers=handlers, waiting=both - handlers)


def union(spans: Iterable[Span], kinds: Sequence[Kind], now: float) -> list[tuple[float, float]]:
    """Return the times covered by spans of these kinds, as intervals that do not overlap, in order."""
    found: list[tuple[float, float]] = []
    chosen = ((span.start, now if span.end is None else span.end) for span in spans if span.kind in kinds)
    for start, end in sorted(chosen):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, max(start, end)))
    return found

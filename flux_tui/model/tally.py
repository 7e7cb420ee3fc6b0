"""The row of a run, kept from its events alone: a trace of a million runs is listed without folding them."""

from collections.abc import Callable

from msgspec import Struct

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.run import RunRowView

_LONGEST_ERROR = 200


class Tally(Struct, kw_only=True):
    """What the list shows of a run, brought up to date in place by ``count``.

    ``since`` is when the present pass began, ``worked`` how long those took that have ended. ``closes`` says
    that the trace states the end of a failed run; the ancestor's does not.
    """

    id: str
    workflow: str
    started: float
    since: float
    updated: float
    status: str = "running"
    step: str | None = None
    error: str | None = None
    took: float | None = None
    worked: float = 0.0
    closes: bool = False

    def row(self) -> RunRowView:
        """Return the row as it is now."""
        return RunRowView(
            id=self.id,
            workflow=self.workflow,
            status=self.status,
            started_at=self.started,
            updated_at=self.updated,
            duration=None if self.took is None else max(self.took, self.worked),
            current_step=self.step,
            error=self.error,
        )


def tally(first: TraceEvent) -> Tally:
    """Return a tally for the run of this event, which is still to be counted."""
    at = first.timestamp
    return Tally(id=first.workflow_id, workflow=first.workflow_name, started=at, since=at, updated=at)


def count(kept: Tally, event: TraceEvent) -> bool:
    """Bring the tally up to date; return whether the event says anything about the row."""
    change = _CHANGES.get(event.type)
    if change is None:
        return False
    if event.type == EventType.WORKFLOW_START and kept.status == "running":
        kept.worked += max(kept.updated - kept.since, 0.0)  # a pass that was never closed: its process died
    kept.updated = max(kept.updated, event.timestamp)
    kept.worked += parse.pass_time(event)
    change(kept, event)
    return True


def _begin(kept: Tally, event: TraceEvent) -> None:
    kept.closes = isinstance(event.graph, dict)
    _go_on(kept, event)


def _go_on(kept: Tally, event: TraceEvent) -> None:
    kept.status, kept.since = "running", event.timestamp
    kept.error = kept.took = None


def _start_step(kept: Tally, event: TraceEvent) -> None:
    kept.step = event.step_name
    if kept.status != "running":
        _go_on(kept, event)


def _fail_step(kept: Tally, event: TraceEvent) -> None:
    kept.step = event.step_name
    kept.error = _line(event)
    if not kept.closes:
        _end(kept, event, "failed", None)


def _complete(kept: Tally, event: TraceEvent) -> None:
    kept.step = kept.error = None
    _end(kept, event, "completed", event.duration)


def _fail(kept: Tally, event: TraceEvent) -> None:
    kept.error = _line(event) or kept.error
    _end(kept, event, "failed", event.duration)


def _cancel(kept: Tally, event: TraceEvent) -> None:
    _end(kept, event, "cancelled", event.duration)


def _end(kept: Tally, event: TraceEvent, status: str, took: float | None) -> None:
    kept.status = status
    kept.took = max(event.timestamp - kept.since, 0.0) if took is None else took


def _suspend(kept: Tally, event: TraceEvent) -> None:
    kept.step = event.step_name or kept.step
    kept.status = "suspended"


def _pause(kept: Tally, event: TraceEvent) -> None:
    kept.status = "interrupted" if parse.meta(event).get("interrupted") is True else "paused"


def _move(_kept: Tally, _event: TraceEvent) -> None:
    """The run moves; that is all."""


def _line(event: TraceEvent) -> str | None:
    error = parse.error(event)
    return None if error is None else next(iter(str(error).splitlines()), error.type)[:_LONGEST_ERROR]


_CHANGES: dict[str, Callable[[Tally, TraceEvent], None]] = {
    EventType.WORKFLOW_START: _begin,
    EventType.WORKFLOW_COMPLETE: _complete,
    EventType.WORKFLOW_ERROR: _fail,
    EventType.WORKFLOW_SUSPEND: _suspend,
    EventType.WORKFLOW_PAUSE: _pause,
    EventType.WORKFLOW_CANCEL: _cancel,
    EventType.STEP_START: _start_step,
    EventType.STEP_COMPLETE: _move,
    EventType.STEP_ERROR: _fail_step,
    EventType.STEP_SKIPPED: _move,
    EventType.STEP_RETRY: _move,
    EventType.STEP_SUSPEND: _suspend,
    EventType.SIGNAL_RECEIVED: _go_on,
}

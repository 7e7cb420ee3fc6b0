"""The failed attempts of a step, as the trace tells them."""

from collections.abc import Iterable

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.spans import FailedAttempt


def failed_attempts(events: Iterable[TraceEvent], step: str) -> tuple[FailedAttempt, ...]:
    """Return the failed attempts of a step in the order in which they failed."""
    found: list[FailedAttempt] = []
    started: float | None = None
    for event in events:
        if event.step_name != step:
            continue
        if event.type == EventType.STEP_START:
            started = event.timestamp
        if event.type not in (EventType.STEP_RETRY, EventType.STEP_ERROR):
            continue
        error = parse.error(event)
        if error is None:
            continue
        duration = event.duration
        if duration is None and started is not None:
            duration = event.timestamp - started
        started = None
        found.append(
            FailedAttempt(
                number=event.attempt or len(found) + 1,
                error=error,
                timestamp=event.timestamp,
                duration=duration,
                delay=parse.number(parse.meta(event).get("delay")),
            )
        )
    return tuple(found)

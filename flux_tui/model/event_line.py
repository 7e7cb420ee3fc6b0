"""An event of a trace as one line to read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import duration_text, fit, printable

_TONES: Final = {
    EventType.WORKFLOW_COMPLETE: "success",
    EventType.STEP_COMPLETE: "success",
    EventType.WORKFLOW_ERROR: "error",
    EventType.STEP_ERROR: "error",
    EventType.STEP_RETRY: "warning",
    EventType.WORKFLOW_SUSPEND: "warning",
    EventType.WORKFLOW_PAUSE: "warning",
    EventType.STEP_SUSPEND: "warning",
    EventType.STEP_COMPENSATE: "warning",
    EventType.WORKFLOW_CANCEL: "warning",
    EventType.WORKFLOW_START: "accent",
    EventType.STEP_LOG: "muted",
}
_BY_NAME: Final = {kind.value: kind for kind in EventType}
_ID: Final = 8
_WORKFLOW: Final = 20
_TYPE: Final = 17


def event_line(event: TraceEvent, secrets: Secrets | None) -> list[tuple[str, str]]:
    """Return the texts of a line with the tone of each; what the ``secrets`` name is masked."""
    clock = _clock(event.timestamp)
    run = fit(printable(event.workflow_id)[:_ID], _ID)
    head = f"{clock}  {run}  {fit(printable(event.workflow_name), _WORKFLOW)}  "
    kind = fit(printable(event.type), _TYPE)
    said = "  ".join(part for part in (printable(event.step_name or ""), *_details(event, secrets)) if part)
    return [(head, "muted"), (kind, _tone(event.type)), (f"  {said}" if said else "", "")]


def _details(event: TraceEvent, secrets: Secrets | None) -> list[str]:
    meta = parse.meta(event)
    tried = f"attempt {event.attempt}" if event.attempt is not None and event.attempt > 1 else ""
    took = "" if event.duration is None else duration_text(event.duration)
    error = _first_line(event.error or "")
    said = {
        EventType.STEP_LOG: _first_line(_text(meta, "text")),
        EventType.STEP_SKIPPED: _text(meta, "reason"),
        EventType.STEP_RETRY: f"again in {duration_text(parse.number(meta.get('delay')) or 0)}",
        EventType.SIGNAL_RECEIVED: _text(meta, "signal"),
        EventType.WORKFLOW_START: _start(meta),
    }.get(_known(event.type) or EventType.STEP_START, "")
    hidden = [text if secrets is None else secrets.text(text) for text in (said, error)]
    return [took, tried, *map(printable, hidden)]


def _start(meta: Mapping[str, Any]) -> str:
    step = _text(meta, "fromStep")
    if meta.get("retry"):
        return f"retry from {step}"
    if meta.get("forkedFrom"):
        return f"forked from {_text(meta, 'forkedFrom')} at {step}"
    return f"resumed at {step}" if meta.get("resume") else ""


def _text(meta: Mapping[str, Any], key: str) -> str:
    value = meta.get(key)
    return value if isinstance(value, str) else ""


def _tone(kind: str) -> str:
    known = _known(kind)
    return "" if known is None else _TONES.get(known, "")


def _known(kind: str) -> EventType | None:
    return _BY_NAME.get(kind)


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def _clock(milliseconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return "??:??:??.???"
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"

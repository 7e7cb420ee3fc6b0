"""Reads what the trace and the store hold into the values on screen, and never fails on what is malformed.

A trace may have been written by anything. What cannot be read is left out; what can be read is kept. The
data of a run stays in the tagged form of the codec, so that an edit of it loses no type and no class.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flux_engine.codec import decode_plain
from flux_engine.errors import FluxError
from flux_engine.execution import Changes, ErrorInfo
from flux_engine.trace.events import TraceEvent
from flux_tui.model.run import LogLine

_TYPED = re.compile(r"(?P<type>(?:\w+\.)*[A-Z]\w*): (?P<message>.*)", re.DOTALL)


def plain(value: Any) -> Any:
    """Turn an encoded value into one to look at: dates as dates, classes that are not loaded as dicts."""
    try:
        text = msgspec.json.encode(value).decode()
        return decode_plain(text) if '"$type"' in text else value
    except (FluxError, ValueError, TypeError, RecursionError):
        return value


def meta(event: TraceEvent) -> Mapping[str, Any]:
    """Return the event's ``meta``, empty when it has none."""
    return event.meta if isinstance(event.meta, Mapping) else {}


def number(value: object) -> float | None:
    """Return a number as it is, anything else as ``None``."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def names(value: object) -> tuple[str, ...]:
    """Return the strings of a list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def changes(value: object) -> Changes | None:
    """Read ``{"set": {…}, "deleted": […]}``, values as they are; ``None`` when it is nothing of the kind."""
    if not isinstance(value, Mapping):
        return None
    fresh = value.get("set")
    return Changes(
        set={str(key): item for key, item in fresh.items()} if isinstance(fresh, Mapping) else {},
        deleted=names(value.get("deleted")),
    )


def pass_time(event: TraceEvent) -> float:
    """Return how long a pass of a run took, in milliseconds, when the event ends one and says so."""
    return 0.0 if event.step_name is not None or event.duration is None else max(event.duration, 0.0)


def error(event: TraceEvent) -> ErrorInfo | None:
    """Return the event's exception, from its text alone when nothing more is known."""
    whole = meta(event).get("exception")
    if isinstance(whole, Mapping):
        try:
            found = msgspec.convert(whole, ErrorInfo)
        except (msgspec.MsgspecError, RecursionError):
            pass
        else:
            return found if found.step else msgspec.structs.replace(found, step=event.step_name)
    if not event.error:
        return None
    typed = _TYPED.fullmatch(event.error)
    kind, message = (typed["type"], typed["message"]) if typed else ("Error", event.error)
    return ErrorInfo(type=kind, message=message, step=event.step_name)


def logs(events: Sequence[TraceEvent]) -> list[LogLine]:
    """Return what the steps printed and logged, a value for each line."""
    return [line for event in events if event.type == "step:log" for line in _log_lines(event)]


def _log_lines(event: TraceEvent) -> list[LogLine]:
    said = meta(event)
    text, stream = said.get("text"), said.get("stream")
    return [
        LogLine(
            timestamp=event.timestamp,
            step=event.step_name,
            attempt=event.attempt,
            stream=stream if isinstance(stream, str) else "stdout",
            text=line,
        )
        for line in (text.splitlines() or [""] if isinstance(text, str) else ())
    ]

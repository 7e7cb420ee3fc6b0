"""An event as a line of JSON, with its secrets taken out."""

import json
from typing import Any

from msgspec.structs import replace

from flux_engine.trace.events import TraceEvent, encode_event
from flux_tui.model.pruned import pruned
from flux_tui.model.secrets import Secrets


def event_line(event: TraceEvent, secrets: Secrets | None, separators: tuple[str, str] = (", ", ": ")) -> str:
    """Return an event as the trace has it; what is nested deeper than JSON is read and written is cut off.

    All text in it is masked as a log is, for an error may quote what it was given; ``None`` masks nothing.
    """
    try:
        return _line(event, secrets, separators)
    except RecursionError:
        cut: dict[str, Any] = {
            "input": pruned(event.input), "changes": pruned(event.changes), "meta": pruned(event.meta)
        }  # fmt: skip
        return _line(replace(event, **cut), secrets, separators)


def _line(event: TraceEvent, secrets: Secrets | None, separators: tuple[str, str]) -> str:
    value = json.loads(encode_event(event))
    if secrets is not None:
        value = secrets.told(value)
    return json.dumps(value, ensure_ascii=False, separators=separators)

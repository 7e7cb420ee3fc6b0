"""Trace events: one line of NDJSON each.

The format is that of ``@gravito/flux`` with additions: camelCase names, times and durations in
milliseconds, absent fields left out. See ``docs/trace-format.md``.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct


class EventType(StrEnum):
    """What happened. A reader passes over types that it does not know."""

    WORKFLOW_START = "workflow:start"
    WORKFLOW_COMPLETE = "workflow:complete"
    WORKFLOW_ERROR = "workflow:error"
    WORKFLOW_SUSPEND = "workflow:suspend"
    WORKFLOW_PAUSE = "workflow:pause"
    WORKFLOW_CANCEL = "workflow:cancel"
    WORKFLOW_DELETE = "workflow:delete"
    STEP_START = "step:start"
    STEP_COMPLETE = "step:complete"
    STEP_ERROR = "step:error"
    STEP_SKIPPED = "step:skipped"
    STEP_RETRY = "step:retry"
    STEP_SUSPEND = "step:suspend"
    STEP_COMPENSATE = "step:compensate"
    STEP_LOG = "step:log"
    SIGNAL_RECEIVED = "signal:received"


class TraceEvent(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One event.

    ``timestamp`` and ``duration`` are milliseconds, ``timestamp`` since the epoch. ``error`` is
    ``"Type: message"``; the whole exception is ``meta["exception"]``, an ``ErrorInfo`` as JSON.
    ``input``, ``data`` and ``changes`` are JSON values (``changes`` is ``{"set": {…}, "deleted": […]}``);
    a writer may give them as ``msgspec.Raw``, JSON that is encoded already.

    ``meta`` by type:

    - ``workflow:start`` of a run that goes on has ``"resume": true`` or ``"retry": true``, and ``fromStep``
      (a name); a retry also ``scope``, ``runsAgain`` (names) and ``edit`` (changes merged over the
      data before ``fromStep``);
    - ``workflow:pause`` has ``{"interrupted": true}`` when the run was let go in the middle;
    - ``step:complete`` has ``output``, what the handler returned;
    - ``step:skipped`` has ``reason``;
    - ``step:error`` has ``exception``; ``step:retry`` also ``delay`` (ms), and beside it stand the
      ``changes`` of the failed attempt;
    - ``step:log`` has ``stream`` (``stdout``, ``stderr`` or a logging level in lower case) and ``text``.
    """

    type: str
    timestamp: float
    workflow_id: str = ""
    workflow_name: str = ""
    step_name: str | None = None
    step_index: int | None = None
    commit: bool | None = None
    attempt: int | None = None
    retries: int | None = None
    max_retries: int | None = None
    duration: float | None = None
    error: str | None = None
    status: str | None = None
    input: Any = None
    data: Any = None
    changes: Any = None
    graph: Any = None
    meta: Any = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(TraceEvent)


def encode_event(event: TraceEvent) -> bytes:
    """Return the event as one line, its newline included."""
    return _encoder.encode(event) + b"\n"


def encode_events(events: Sequence[TraceEvent]) -> bytes:
    """Return several events as lines."""
    return _encoder.encode_lines(events)


def decode_event(line: bytes) -> TraceEvent:
    """Read one line. Raises ``msgspec.MsgspecError`` when it is not an event."""
    return _decoder.decode(line)

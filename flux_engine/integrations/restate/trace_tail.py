"""What the end of a trace file says of a run: asked where the last execution of its handler may have died."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from flux_engine.trace.events import TraceEvent, decode_event
from flux_engine.trace.file_sink import JsonFileTraceSink

_BLOCK = 1 << 20
_MARGIN = 60_000.0
"""How many milliseconds the lines of a file may be out of their order."""


class Told(Struct, frozen=True):
    """What tells one event of a run from another; an event that is told again has the same."""

    type: str
    timestamp: float
    run_id: str
    step: str | None
    attempt: int | None

    @classmethod
    def of(cls, event: TraceEvent) -> Self:
        """Return it for an event."""
        return cls(event.type, event.timestamp, event.workflow_id, event.step_name, event.attempt)


def told_by(sink: JsonFileTraceSink, events: Iterable[TraceEvent]) -> set[Told]:
    """Return those of the events that the sink's file has, or the one before it."""
    wanted = {Told.of(event) for event in events}
    if not wanted:
        return set()
    oldest = min(each.timestamp for each in wanted) - _MARGIN
    found: set[Told] = set()
    for path in (sink.path, Path(f"{sink.path}.1")):
        for line in _lines_backwards(path):
            event = _event(line)
            if event is None:
                continue
            if event.timestamp < oldest:
                return found & wanted
            found.add(Told.of(event))
    return found & wanted


def _event(line: bytes) -> TraceEvent | None:
    try:
        return decode_event(line)
    except msgspec.MsgspecError:
        return None


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Give the lines of a file, the last first."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            rest = b""
            while end > 0:
                start = max(0, end - _BLOCK)
                file.seek(start)
                first, *lines = (file.read(end - start) + rest).split(b"\n")
                yield from (line for line in reversed(lines) if line)
                rest, end = first, start
            if rest:
                yield rest
    except OSError:  # not there, or not to be read: then nothing is known of it
        return

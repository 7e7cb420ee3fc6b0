"""What the end of a trace file says of a run: asked where the last execution of its handler may have died."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from flux_engine.trace.events import TraceEvent, decode_event
from flux_engine.trace.file_sink import JsonFileTraceSink
from flux_engine.trace.sinks import FluxTraceSink

_BLOCK = 1 << 20
_TRIES = 50
_MARGIN = 10_000.0
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


def told_by(sink: JsonFileTraceSink, events: Sequence[TraceEvent]) -> set[Told]:
    """Return those of the events, which are of one run, that the sink's file has, or the one before it."""
    if not events:
        return set()
    wanted = {Told.of(event) for event in events}
    run = msgspec.json.encode(events[0].workflow_id)
    oldest = min(each.timestamp for each in wanted) - _MARGIN
    found: set[Told] = set()
    for path in (sink.path, Path(f"{sink.path}.1")):
        for lines in _blocks_backwards(path):
            of_run = (_event(line) for line in lines if run in line)
            found |= {Told.of(event) for event in of_run if event is not None}
            first = _event(lines[0])
            if first is not None and first.timestamp < oldest:
                return found & wanted
    return found & wanted


@asynccontextmanager
async def alone(sink: FluxTraceSink) -> AsyncIterator[Callable[[], bool]]:
    """Keep other processes that ask from telling meanwhile, and give what says whether that still holds.

    A process that hangs is not waited for: it loses its turn, and finds that out when it goes on.
    """
    turn = await _take_turn(sink)
    try:
        yield lambda: turn is None or _is_the_lock(*turn)
    finally:
        if turn is not None:
            os.close(turn[1])


async def _take_turn(sink: FluxTraceSink) -> tuple[str, int] | None:
    """Lock the file beside the sink's; ``None`` for other sinks, and where there are no locks."""
    if not isinstance(sink, JsonFileTraceSink) or os.name != "posix":
        return None
    import fcntl  # noqa: PLC0415 - not on every platform

    name = f"{sink.path}.asked"
    waited = 0
    while True:
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:  # no folder yet: nobody has told anything
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_the_lock(name, descriptor):
                return name, descriptor
        except BlockingIOError:
            pass
        except OSError:  # a file system without locks
            os.close(descriptor)
            return None
        try:
            if waited >= _TRIES and _is_the_lock(name, descriptor):
                waited = 0
                os.unlink(name)  # noqa: PTH108 - a name, as everywhere here
        except OSError:  # nobody may remove it
            return None
        finally:
            os.close(descriptor)
        waited += 1
        await asyncio.sleep(0.01)


def _is_the_lock(name: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(name), os.fstat(descriptor))  # noqa: PTH116
    except OSError:
        return False


def _event(line: bytes) -> TraceEvent | None:
    try:
        return decode_event(line)
    except msgspec.MsgspecError:
        return None


def _blocks_backwards(path: Path) -> Iterator[list[bytes]]:
    """Give the lines of a file in blocks, the last first; each block has one line at least."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            rest = b""
            while end > 0:
                start = max(0, end - _BLOCK)
                file.seek(start)
                rest, *lines = (file.read(end - start) + rest).split(b"\n")
                end = start
                if whole := [line for line in lines if line]:
                    yield whole
            if rest:
                yield [rest]
    except OSError:  # not there, or not to be read: then nothing is known of it
        return

"""The events of a trace on the command line: of a file from near its end or whole, or of standard input."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from flux_engine.trace.events import TraceEvent
from flux_engine.trace.lines import TraceLines
from flux_engine.trace.reader import PIECE, TraceReader
from flux_tui.cli.errors import UsageError
from flux_tui.settings import STANDARD_INPUT

LOOK_SECONDS: Final = 0.1
_WINDOWS: Final = (256 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024)
_PIPE_PIECE: Final = 64 * 1024

Wanted = Callable[[TraceEvent], bool]


def check_readable(path: Path) -> None:
    """Raise ``UsageError`` unless the file can be read."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"{path} cannot be read: {reason}. Name the trace, or - for standard input"
        ) from None


def last_events(path: Path, wanted: Wanted, limit: int) -> tuple[TraceReader, list[TraceEvent]]:
    """Return the last events that are wanted, and a reader that stands behind them.

    The end of the file is read first; more of it only when too few were found there.
    """
    size = path.stat().st_size
    for window in (*_WINDOWS, size):
        start = max(size - window, 0)
        reader = TraceReader(path, offset=start)
        found = deque(filter(wanted, _to_end(reader)), maxlen=limit)
        if start == 0 or len(found) == limit:
            break
        reader.close()
    return reader, list(found)


def _to_end(reader: TraceReader) -> Iterator[TraceEvent]:
    while True:
        chunk = reader.read()
        yield from (placed.event for placed in chunk.events)
        if not chunk.more:
            return


def following(reader: TraceReader, wanted: Wanted) -> Iterator[list[TraceEvent]]:
    """Yield what is written from now on, for as long as it is asked."""
    while True:
        chunk = reader.read()
        if chunk.events:
            yield [placed.event for placed in chunk.events if wanted(placed.event)]
        if not chunk.more:
            time.sleep(LOOK_SECONDS)


def piped(wanted: Wanted) -> Iterator[list[TraceEvent]]:
    """Yield the events of standard input as they come, until it ends."""
    lines = TraceLines()
    while piece := os.read(sys.stdin.fileno(), _PIPE_PIECE):
        yield [placed.event for placed in lines.feed(piece)[0] if wanted(placed.event)]
    yield [placed.event for placed in lines.finish()[0] if wanted(placed.event)]


def every_event(path: Path, bad: Callable[[int], None], seen: Callable[[int], None]) -> Iterator[TraceEvent]:
    """Yield all events of a file or of standard input (``-``).

    ``bad`` is told how many lines of a piece are no events, ``seen`` how many bytes were read so far.
    """
    lines, done = TraceLines(), 0
    with sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb") as stream:
        while piece := stream.read(PIECE):
            events, wrong = lines.feed(piece)
            done += len(piece)
            bad(len(wrong))
            seen(done)
            yield from (placed.event for placed in events)
    events, wrong = lines.finish()
    bad(len(wrong))
    yield from (placed.event for placed in events)

"""Follows a trace: what is new in it, a row for each of its runs, and the events of any run again.

Of a file only the places of the events are kept, so a trace of gigabytes costs little memory. Of standard
input, which cannot be read again, the latest events of each run are. Everything happens in pieces of a
few milliseconds, on the event loop.
"""

import asyncio
import sys
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct, field

from flux_engine.errors import StorageError
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.lines import BadLine, PlacedEvent
from flux_engine.trace.reader import TraceChunk, TraceReader
from flux_tui.feed.stream import StreamReader
from flux_tui.model.run import RunRowView
from flux_tui.model.tally import Tally, count, tally

STDIN = "-"
PIECE = 64 * 1024
"""Bytes of a file to read at a time."""

EVENTS_OF_A_RUN = 5000
"""How many events of a run are kept of a stream."""

_EVENTS_AT_A_TIME = 200
_OFFSET_BITS = 48


class TraceNews(Struct, frozen=True, kw_only=True):
    """What one look at the trace brought.

    ``events`` are in the order of the trace, ``rows`` are those of the runs that changed, ``deleted`` are
    the ids of runs that were deleted; one that has a row was begun anew. ``reset`` says that the trace was
    begun anew: everything it told before is void. ``more`` says that there is more to read at once.
    ``bad`` counts the lines among these that are no events.
    """

    events: list[TraceEvent] = field(default_factory=list)
    rows: list[RunRowView] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    reset: bool = False
    more: bool = False
    bad: int = 0


class _Known(Struct, kw_only=True):
    """A run of the trace: its row, and where its events are or, of a stream, the events themselves.

    A place is the generation of the file in the upper bits and the offset in the lower 48.
    """

    tally: Tally
    seen: int = 0
    places: "array[int]" = field(default_factory=lambda: array("Q"))
    lengths: "array[int]" = field(default_factory=lambda: array("L"))
    events: deque[TraceEvent] | None = None


class TraceFeed:
    """Follows the trace in a file, or on standard input when the path is ``-``.

    ``problem`` says why the trace cannot be read now and what to do; a file that does not exist yet is
    no problem.
    """

    def __init__(self, path: str | Path, *, stream: BinaryIO | None = None) -> None:
        self.path = Path(path)
        self.problem: str | None = None
        self._reader: TraceReader | StreamReader
        if str(path) == STDIN:
            self._reader = StreamReader(stream or sys.stdin.buffer)
        else:
            self._reader = TraceReader(self.path)
        self._runs: dict[str, _Known] = {}

    @property
    def bad_lines(self) -> int:
        """How many lines were no events."""
        return self._reader.bad_lines

    @property
    def last_bad(self) -> Sequence[BadLine]:
        """The latest lines that were no events: where each is, its beginning, and what is wrong."""
        return tuple(self._reader.last_bad_lines)

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many bytes of how many have been read; ``None`` for standard input."""
        if isinstance(self._reader, StreamReader):
            return None
        try:
            size = self.path.stat().st_size
        except OSError:
            size = 0
        return self._reader.offset, max(size, self._reader.offset)

    @property
    def rows(self) -> list[RunRowView]:
        """The rows of all runs of the trace."""
        return [known.tally.row() for known in self._runs.values()]

    def mark(self) -> object:
        """Return what differs after the trace changed: asking is far cheaper than reading. ``None``: read."""
        if str(self.path) == STDIN:
            return None
        try:
            found = self.path.stat()
        except OSError as error:
            return error.errno
        return found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns

    async def poll(self) -> TraceNews:
        """Return what is new, at most a piece of it; ask again at once when there is ``more``."""
        await asyncio.sleep(0)
        try:
            chunk = self._reader.read(PIECE)
        except StorageError as error:
            self.problem = str(error)
            if not self._runs:
                self.close()  # what is there now may not be a file at all: look again at what has the path
            return TraceNews()
        self.problem = None
        if chunk.restarted:
            self._runs = {}
        return self._taken_in(chunk)

    async def events_of(self, run_id: str) -> list[TraceEvent]:
        """Return the events of a run that were read so far, read again from the file.

        Without those that are no longer there: the file was rotated more than once since, or emptied.
        """
        known = self._runs.get(run_id)
        if known is None:
            return []
        if known.events is not None:
            return list(known.events)
        events: list[TraceEvent] = []
        for begin in range(0, len(known.places), _EVENTS_AT_A_TIME):
            await asyncio.sleep(0)
            events += self._read_again(known, begin)
        return events

    def dropped(self, run_id: str) -> int:
        """Return how many events of a run on standard input, the oldest, are no longer kept."""
        known = self._runs.get(run_id)
        return 0 if known is None or known.events is None else known.seen - len(known.events)

    def close(self) -> None:
        """Close the file. The thread of a stream ends with the stream, or with the process."""
        if isinstance(self._reader, TraceReader):
            self._reader.close()

    def _taken_in(self, chunk: TraceChunk) -> TraceNews:
        changed: dict[str, Tally] = {}
        deleted: list[str] = []
        for placed in chunk.events:
            event = placed.event
            if event.type == EventType.WORKFLOW_DELETE:
                self._runs.pop(event.workflow_id, None)
                changed.pop(event.workflow_id, None)
                deleted.append(event.workflow_id)
            elif event.workflow_id:
                known = self._keep(placed)
                if count(known.tally, event) or known.seen == 1:
                    changed[event.workflow_id] = known.tally
        return TraceNews(
            events=[placed.event for placed in chunk.events],
            rows=[each.row() for each in changed.values()],
            deleted=deleted,
            reset=chunk.restarted,
            more=chunk.more,
            bad=chunk.bad_lines,
        )

    def _keep(self, placed: PlacedEvent) -> _Known:
        run_id = placed.event.workflow_id
        known = self._runs.get(run_id)
        if known is None:
            known = self._runs[run_id] = _Known(tally=tally(placed.event))
            if isinstance(self._reader, StreamReader):
                known.events = deque(maxlen=EVENTS_OF_A_RUN)
        known.seen += 1
        if known.events is not None:
            known.events.append(placed.event)
        else:
            known.places.append(placed.generation << _OFFSET_BITS | placed.offset)
            known.lengths.append(placed.length)
        return known

    def _read_again(self, known: _Known, begin: int) -> list[TraceEvent]:
        end = begin + _EVENTS_AT_A_TIME
        events = []
        for place, length in zip(known.places[begin:end], known.lengths[begin:end], strict=True):
            generation, offset = place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)
            event = self._event_at(offset, length, generation)
            if event is not None and event.workflow_id == known.tally.id:
                events.append(event)
        return events

    def _event_at(self, offset: int, length: int, generation: int) -> TraceEvent | None:
        if isinstance(self._reader, StreamReader):
            return None
        try:
            return self._reader.read_at(offset, length, generation=generation)
        except StorageError:
            return None

"""Follows a trace: what is new in it, a row for each of its runs, and the events of any run again.

The end of a long file is read first; what lies before is gone through later, a slice at a time. Of a file
only the places of the events are kept, so a trace of gigabytes costs little memory. Of standard input, which
cannot be read again, the latest events of each run are. Everything happens in pieces of a few milliseconds,
on the event loop.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct, field

from flux_engine.errors import StorageError
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.lines import BadLine, PlacedEvent
from flux_engine.trace.reader import TraceChunk, TraceReader
from flux_tui.feed.history import History
from flux_tui.feed.known import KnownRun
from flux_tui.feed.stream import StreamReader
from flux_tui.model.run import RunRowView
from flux_tui.model.tally import Tally, count, tally

STDIN = "-"
PIECE = 64 * 1024
"""Bytes of a file to read at a time."""

END = 512 * 1024
"""Bytes at the end of a file that are read before all others."""

EVENTS_OF_A_RUN = 5000
"""How many events of a run are kept of a stream."""

_EVENTS_AT_A_TIME = 100


class TraceNews(Struct, frozen=True, kw_only=True):
    """What one look at the trace brought.

    ``events`` are in the order of the trace, ``rows`` are those of the runs that changed, ``deleted`` are
    the ids of runs that were deleted; one that has a row was begun anew. ``reset`` says that the trace was
    begun anew: everything it told before is void. ``more`` says that there is more to read at once.
    ``bad`` counts the lines among these that are no events. Of what a long trace held before its end only
    rows are told, and ``graphs`` by workflow; ``whole`` says that all of it is known from now on.
    """

    events: list[TraceEvent] = field(default_factory=list)
    rows: list[RunRowView] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    reset: bool = False
    more: bool = False
    bad: int = 0
    graphs: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


class TraceFeed:
    """Follows the trace in a file, or on standard input when the path is ``-``.

    ``problem`` says why the trace cannot be read now and what to do; a file that does not exist yet is
    no problem. ``at_end`` says that the end of the trace was reached once.
    """

    def __init__(self, path: str | Path, *, stream: BinaryIO | None = None) -> None:
        self.path = Path(path)
        self.problem: str | None = None
        self._reader: TraceReader | StreamReader
        if str(path) == STDIN:
            self._reader = StreamReader(stream or sys.stdin.buffer)
        else:
            self._reader = TraceReader(self.path)
        self._runs: dict[str, KnownRun] = {}
        self.at_end = False
        self._history: History | None = None
        self._opened = False
        self._bad_before = 0

    @property
    def bad_lines(self) -> int:
        """How many lines were no events."""
        return self._bad_before + self._reader.bad_lines

    @property
    def last_bad(self) -> Sequence[BadLine]:
        """The latest lines that were no events: where each is, its beginning, and what is wrong."""
        return tuple(self._reader.last_bad_lines)

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many bytes of how many have been read; ``None`` for standard input."""
        if isinstance(self._reader, StreamReader):
            return None
        unread = 0 if self._history is None else self._history.end - self._history.offset
        size = max(_size(self.path), self._reader.offset)
        return self._reader.offset - unread, size

    @property
    def rows(self) -> list[RunRowView]:
        """The rows of all runs of the trace."""
        earlier = {} if self._history is None else self._history.runs
        return [known.tally.row() for known in (earlier | self._runs).values()]

    @property
    def whole(self) -> bool:
        """Whether all that the trace held when it was opened is known."""
        return self._history is None

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
        if not self._opened:
            self._open()
        try:
            chunk = self._reader.read(PIECE)
        except StorageError as error:
            self.problem = str(error)
            if not self._runs:
                self.close()  # what is there now may not be a file at all: look again at what has the path
            return TraceNews()
        self.problem = None
        self.at_end = self.at_end or not chunk.more
        if chunk.restarted:
            self._runs = {}
            self._history = None
        if self._history is not None and not chunk.events:
            return self._look_back(self._history)
        return self._taken_in(chunk)

    async def events_of(self, run_id: str) -> list[TraceEvent]:
        """Return the events of a run that were read so far, read again from the file.

        Without those that are no longer there: the file was rotated more than once since, or emptied.
        """
        return [event async for piece in self.pieces_of(run_id) for event in piece]

    async def pieces_of(self, run_id: str) -> AsyncIterator[list[TraceEvent]]:
        """Yield the events of a run that were read so far, as ``events_of``, a few at a time.

        Those that come meanwhile are among them: nothing happens between the last piece and the end.
        """
        before = None if self._history is None else self._history.runs.get(run_id)
        for known in (before, self._runs.get(run_id)):
            if known is None:
                continue
            if known.events is not None:
                yield list(known.events)
                continue
            begin = 0
            while begin < len(known.places):
                if begin:
                    await asyncio.sleep(0)
                end = min(begin + _EVENTS_AT_A_TIME, len(known.places))
                yield self._read_again(known, begin, end)
                begin = end

    def count(self, run_id: str) -> int:
        """Return how many events of a run are known."""
        before = None if self._history is None else self._history.runs.get(run_id)
        return sum(known.seen for known in (before, self._runs.get(run_id)) if known is not None)

    def dropped(self, run_id: str) -> int:
        """Return how many events of a run on standard input, the oldest, are no longer kept."""
        known = self._runs.get(run_id)
        return 0 if known is None or known.events is None else known.seen - len(known.events)

    def close(self) -> None:
        """Close the file. The thread of a stream ends with the stream, or with the process."""
        if isinstance(self._reader, TraceReader):
            self._reader.close()

    def _open(self) -> None:
        """Begin near the end of a long file; the rest of it is gone through later."""
        if not isinstance(self._reader, TraceReader):
            self._opened = True
            return
        size = _size(self.path)
        self._opened = size > 0
        if size > 2 * END:
            end = size - END
            self._reader = reader = TraceReader(self.path, offset=end)

            def read(offset: int, length: int) -> bytes:
                return reader.bytes_at(offset, length, generation=0)

            self._history = History(read, end=end, generation=0)

    def _taken_in(self, chunk: TraceChunk) -> TraceNews:
        changed: dict[str, Tally] = {}
        deleted: list[str] = []
        for placed in chunk.events:
            event = placed.event
            if event.type == EventType.WORKFLOW_DELETE:
                self._runs.pop(event.workflow_id, None)
                changed.pop(event.workflow_id, None)
                deleted.append(event.workflow_id)
                if self._history is not None:
                    self._history.forget(event.workflow_id)
            elif event.workflow_id:
                known = self._keep(placed)
                if count(known.tally, event) or known.seen == 1:
                    changed[event.workflow_id] = known.tally
        return TraceNews(
            events=[placed.event for placed in chunk.events],
            rows=[each.row() for each in changed.values()],
            deleted=deleted,
            reset=chunk.restarted,
            more=chunk.more or self._history is not None,
            bad=chunk.bad_lines,
        )

    def _keep(self, placed: PlacedEvent) -> KnownRun:
        run_id = placed.event.workflow_id
        known = self._runs.get(run_id)
        if known is None:
            known = self._runs[run_id] = KnownRun(tally=tally(placed.event))
            if isinstance(self._reader, StreamReader):
                known.events = deque(maxlen=EVENTS_OF_A_RUN)
        known.seen += 1
        if known.events is not None:
            known.events.append(placed.event)
        else:
            known.put(placed.generation, placed.offset, placed.length)
        return known

    def _look_back(self, history: History) -> TraceNews:
        """Go through a slice of what the trace held before its end; at last, join both."""
        found = history.go_on()
        self._bad_before += found.bad
        rows = [known.tally.row() for run_id, known in found.moved.items() if run_id not in self._runs]
        if history.done:
            rows += self._join(history)
        return TraceNews(
            events=found.alone,
            rows=rows,
            deleted=[run_id for run_id in found.deleted if run_id not in self._runs],
            more=True,
            bad=found.bad,
            graphs=found.graphs,
            whole=history.done,
        )

    def _join(self, history: History) -> list[RunRowView]:
        """Let runs that went on where the end of the trace begins go on; return their rows."""
        self._history = None
        both = []
        for run_id, later in self._runs.items():
            known = history.runs.get(run_id)
            if known is not None:
                for event in self._read_again(later, 0, len(later.places)):
                    count(known.tally, event)
                known.seen += later.seen
                known.places += later.places
                known.lengths += later.lengths
                both.append(known)
        self._runs |= history.runs
        return [known.tally.row() for known in both]

    def _read_again(self, known: KnownRun, begin: int, end: int) -> list[TraceEvent]:
        found = (self._event_at(*known.place(number)) for number in range(begin, end))
        return [event for event in found if event is not None and event.workflow_id == known.tally.id]

    def _event_at(self, generation: int, offset: int, length: int) -> TraceEvent | None:
        if isinstance(self._reader, StreamReader):
            return None
        try:
            return self._reader.read_at(offset, length, generation=generation)
        except StorageError:
            return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0

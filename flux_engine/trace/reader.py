"""Following a trace file while others write, rotate and truncate it.

A reader never waits and never holds more than one piece of the file and one line: whoever follows a
trace calls ``read`` again when the last chunk says that there is ``more``, or after a while.
"""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from flux_engine.errors import StorageError
from flux_engine.trace.events import TraceEvent
from flux_engine.trace.lines import LONGEST, BadLine, PlacedEvent, TraceLines

PIECE = 1024 * 1024
"""How many bytes ``read`` takes at a time."""

_HEAD = 256


class TraceChunk(Struct, frozen=True, kw_only=True):
    """What one ``read`` found.

    ``bad_lines`` counts the lines of this chunk that are no events. ``restarted`` says that the file was
    emptied: what was read of it before this chunk is gone. ``more`` says that ``read`` has more to give now.
    """

    events: tuple[PlacedEvent, ...] = ()
    bad_lines: int = 0
    restarted: bool = False
    more: bool = False


class _OpenFile:
    """A trace file as the reader has it open, under whatever name it may have by now."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.head = b""
        found = os.fstat(self.descriptor)
        self.identity = (found.st_dev, found.st_ino)

    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def was_emptied(self, position: int) -> bool:
        """Whether this is no longer the content that was read up to ``position``."""
        known, self.head = self.head, self.read(0, _HEAD)
        return self.size() < position or not self.head.startswith(known)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.descriptor, length, offset)

    def close(self) -> None:
        os.close(self.descriptor)


class TraceReader:
    """Reads the events of a trace file as they are written, from any byte on.

    The file need not exist yet. When it is emptied, reading starts again at its beginning; when it is
    renamed and begun anew, reading goes on there after the end of the old one; only a reader that is more
    than one renamed file behind misses what was between. Each of these begins a new
    ``generation``. A line that is no event is counted in ``bad_lines``; ``last_bad_lines`` has the latest.
    Not to be used by several threads at once.
    """

    def __init__(self, path: str | Path, *, offset: int = 0, longest_line: int = LONGEST) -> None:
        self.path = Path(path)
        self.bad_lines = 0
        self.last_bad_lines: deque[BadLine] = deque(maxlen=5)
        self._start = offset
        self._longest = longest_line
        self._file: _OpenFile | None = None
        self._earlier: tuple[int, _OpenFile] | None = None
        self._lines = TraceLines(offset=offset, longest=longest_line)
        self._replaced = False

    @property
    def generation(self) -> int:
        """Which file is being read, counted from 0."""
        return self._lines.generation

    @property
    def offset(self) -> int:
        """The byte of the current file from which another reader could go on."""
        return self._lines.offset

    def read(self, max_bytes: int = PIECE) -> TraceChunk:
        """Return the events in the next ``max_bytes``, none when there is nothing new.

        Raises ``StorageError`` when the file is there and cannot be read.
        """
        try:
            return self._read(max_bytes)
        except OSError as error:
            raise StorageError(
                f"The trace file {self.path} cannot be read: {error.strerror or error}. "
                f"Check its permissions, or choose another one."
            ) from error

    def read_at(self, offset: int, length: int, *, generation: int | None = None) -> TraceEvent:
        """Return the event of one line again, from where a ``PlacedEvent`` says it is.

        Raises ``StorageError`` when the line is no longer there: the file was emptied, or rotated more than
        once.
        """
        line = self.bytes_at(offset, length, generation=generation)
        events, _ = TraceLines(longest=self._longest).feed(line + b"\n")
        if len(events) != 1 or len(line) != length:
            raise StorageError(
                f"The trace file {self.path} no longer has the event of {length} bytes at byte {offset}: "
                f"it was emptied or rotated. Read the trace again from its beginning."
            )
        return events[0].event

    def bytes_at(self, offset: int, length: int, *, generation: int | None = None) -> bytes:
        """Return bytes of the file as they are, fewer at its end, none of a file that is no longer there."""
        file = self._file if generation in (None, self.generation) else None
        if self._earlier is not None and self._earlier[0] == generation:
            file = self._earlier[1]
        try:
            return b"" if file is None else file.read(offset, length)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        for file in (self._file, self._earlier and self._earlier[1]):
            if file is not None:
                file.close()
        self._file = self._earlier = None

    def _read(self, max_bytes: int) -> TraceChunk:
        file = self._file or self._open_first()
        if file is None:
            return TraceChunk()
        restarted = file.was_emptied(self._lines.position)
        if restarted:
            self._begin(self.generation + 1)
        piece = file.read(self._lines.position, max_bytes)
        if piece:
            self._replaced = False
            return self._chunk(self._lines.feed(piece), restarted=restarted)
        if restarted or not self._is_replaced(file):
            return TraceChunk(restarted=restarted)
        return self._go_on(file)

    def _open_first(self) -> _OpenFile | None:
        try:
            self._file = file = _OpenFile(self.path)
        except FileNotFoundError:
            return None
        size = file.size()
        inside = 0 < self._start <= size and file.read(self._start - 1, 1) != b"\n"
        offset = self._start if self._start <= size else 0
        self._lines = TraceLines(
            generation=self.generation, offset=offset, inside=inside, longest=self._longest
        )
        return file

    def _begin(self, generation: int) -> None:
        self._lines = TraceLines(generation=generation, longest=self._longest)

    def _is_replaced(self, file: _OpenFile) -> bool:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) != file.identity

    def _go_on(self, file: _OpenFile) -> TraceChunk:
        """Go on to the file that has the path now, once the old one had a last chance to grow.

        A writer may have looked at the path just before it was renamed, and write to the old file just after.
        """
        if not self._replaced:
            self._replaced = True
            return TraceChunk()
        self._replaced = False
        try:
            following = _OpenFile(self._next_path(file))
        except FileNotFoundError:
            return TraceChunk()
        chunk = self._chunk(self._lines.finish())
        if self._earlier is not None:
            self._earlier[1].close()
        self._earlier = (self.generation, file)
        self._file = following
        self._begin(self.generation + 1)
        return TraceChunk(events=chunk.events, bad_lines=chunk.bad_lines, more=following.size() > 0)

    def _next_path(self, file: _OpenFile) -> Path:
        """Return the path of the file after this one: the rotated one, if this one is two behind."""
        rotated = self.path.with_name(f"{self.path.name}.1")
        own = os.fstat(file.descriptor)
        try:
            later = rotated.stat().st_mtime_ns > own.st_mtime_ns
        except FileNotFoundError:
            later = False
        return rotated if later and own.st_nlink == 0 else self.path

    def _chunk(
        self, found: tuple[list[PlacedEvent], list[BadLine]], *, restarted: bool = False
    ) -> TraceChunk:
        events, bad = found
        self.bad_lines += len(bad)
        self.last_bad_lines.extend(bad)
        more = self._file is not None and self._file.size() > self._lines.position
        return TraceChunk(events=tuple(events), bad_lines=len(bad), restarted=restarted, more=more)


def read_events(path: str | Path) -> Iterator[TraceEvent]:
    """Yield the events of a trace file from its beginning to its end, passing over bad lines.

    Raises ``StorageError`` when there is no such file or it cannot be read.
    """
    lines = TraceLines()
    try:
        with Path(path).open("rb") as file:
            while piece := file.read(PIECE):
                for placed in lines.feed(piece)[0]:
                    yield placed.event
    except OSError as error:
        raise StorageError(f"The trace file {path} cannot be read: {error.strerror or error}.") from error
    for placed in lines.finish()[0]:
        yield placed.event

"""From the bytes of a trace to its events, line by line, however the bytes arrive."""

import msgspec
from msgspec import Struct

from flux_engine.trace.events import TraceEvent, decode_event

LONGEST = 64 * 1024 * 1024
"""How many bytes a line may have to be read as an event."""

_EXCERPT = 120


class PlacedEvent(Struct, frozen=True, kw_only=True):
    """An event and where its line is: in which file since the reading began, at which byte, how long.

    ``length`` is in bytes without the newline.
    """

    event: TraceEvent
    generation: int
    offset: int
    length: int


class BadLine(Struct, frozen=True, kw_only=True):
    """A line that is no event: where it begins, what is wrong, and how it begins."""

    generation: int
    offset: int
    reason: str
    excerpt: str


class TraceLines:
    """Takes the bytes of one file in pieces and gives back the lines that are whole.

    ``offset`` is where the first line not given back yet begins. With ``inside=True`` the bytes begin
    somewhere inside a line, which is passed over.
    """

    def __init__(
        self, *, generation: int = 0, offset: int = 0, inside: bool = False, longest: int = LONGEST
    ) -> None:
        self.generation = generation
        self.offset = offset
        self._longest = longest
        self._skipping = inside
        self._tail = bytearray()

    @property
    def position(self) -> int:
        """Where the next piece begins."""
        return self.offset + len(self._tail)

    def feed(self, piece: bytes) -> tuple[list[PlacedEvent], list[BadLine]]:
        """Take the next piece; return the events of the lines that are whole now, and the bad lines."""
        events: list[PlacedEvent] = []
        bad: list[BadLine] = []
        if self._skipping:
            piece = self._skip(piece)
        end = piece.rfind(b"\n")
        if end >= 0:
            self._tail += piece[:end]
            piece = piece[end + 1 :]
            block = bytes(self._tail)
            self._tail.clear()
            for line in block.split(b"\n"):
                self._read(line, events, bad)
                self.offset += len(line) + 1
        self._tail += piece
        if len(self._tail) > self._longest:
            bad.append(self._bad(bytes(self._tail[:_EXCERPT]), f"longer than {self._longest} bytes"))
            self.offset += len(self._tail)
            self._tail.clear()
            self._skipping = True
        return events, bad

    def finish(self) -> tuple[list[PlacedEvent], list[BadLine]]:
        """Say that nothing follows; return what the last line is when no newline ends it."""
        events: list[PlacedEvent] = []
        bad: list[BadLine] = []
        line = bytes(self._tail)
        self._read(line, events, bad)
        self.offset += len(line)
        self._tail.clear()
        return events, bad

    def _skip(self, piece: bytes) -> bytes:
        end = piece.find(b"\n")
        self._skipping = end < 0
        passed = len(piece) if end < 0 else end + 1
        self.offset += passed
        return piece[passed:]

    def _read(self, line: bytes, events: list[PlacedEvent], bad: list[BadLine]) -> None:
        if len(line) > self._longest:
            bad.append(self._bad(line, f"longer than {self._longest} bytes"))
            return
        try:
            event = decode_event(line)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if line.strip():
                bad.append(self._bad(line, str(error)))
            return
        placed = PlacedEvent(event=event, generation=self.generation, offset=self.offset, length=len(line))
        events.append(placed)

    def _bad(self, line: bytes, reason: str) -> BadLine:
        excerpt = line[:_EXCERPT].decode(errors="backslashreplace")
        return BadLine(generation=self.generation, offset=self.offset, reason=reason, excerpt=excerpt)

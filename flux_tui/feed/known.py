"""What is kept of a run of the trace: its row, and where its events are."""

from array import array
from collections import deque

from msgspec import Struct, field

from flux_engine.trace.events import TraceEvent
from flux_tui.model.tally import Tally

_OFFSET_BITS = 48


class KnownRun(Struct, kw_only=True):
    """A run of the trace: its row, and where its events are or, of a stream, the events themselves.

    A place is the generation of the file in the upper bits and the offset in the lower 48.
    """

    tally: Tally
    seen: int = 0
    places: "array[int]" = field(default_factory=lambda: array("Q"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    events: deque[TraceEvent] | None = None

    def put(self, generation: int, offset: int, length: int) -> None:
        """Keep where one more event is."""
        self.places.append(generation << _OFFSET_BITS | offset)
        self.lengths.append(length)

    def place(self, number: int) -> tuple[int, int, int]:
        """Return where an event is: generation, offset and length."""
        place = self.places[number]
        return place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1), self.lengths[number]

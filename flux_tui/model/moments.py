"""The moments of a run: how it stood after each event that moved it, found again from what the trace tells.

A run of ten thousand events is not folded from its start for every key press: every so many moments the
run is kept as it stood, and the moment asked for last is where the next one goes on from.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import fold, parse
from flux_tui.model.run import RunView
from flux_tui.model.text import duration_text, printable

EVERY: Final = 64
"""How many moments lie between two that are kept."""

MARK: Final = ("◂◂", "<<")

_MOVING: Final = frozenset(EventType) - {EventType.STEP_LOG}


class Moment(Struct, frozen=True, kw_only=True):
    """A run as it stood after an event.

    ``number`` counts from 1 to ``count``. ``place`` is the place of the event among all events of the run,
    ``printed`` how many lines its steps had printed and logged by then, ``since`` the milliseconds since
    the run began.
    """

    number: int
    count: int
    event: TraceEvent
    place: int
    printed: int
    since: float
    view: RunView

    @property
    def time(self) -> float:
        """When it was, in milliseconds since the epoch."""
        return self.event.timestamp


class Moments:
    """The moments of one run at a time. ``follow`` takes in what is new, or turns to another run."""

    def __init__(self) -> None:
        self._events: Sequence[TraceEvent] = ()
        self._read = 0
        self._lines = 0
        self._places: list[int] = []
        self._printed: list[int] = []
        self._kept: list[RunView | None] = []
        self._latest: tuple[int, RunView | None] = (0, None)

    def __len__(self) -> int:
        """How many moments there are."""
        return len(self._places)

    def follow(self, events: Sequence[TraceEvent]) -> None:
        """Take in the events of a run: a list that is appended to, and replaced when it is read anew."""
        if events is not self._events or len(events) < self._read:
            self._events, self._read, self._lines = events, 0, 0
            self._places, self._printed, self._kept, self._latest = [], [], [], (0, None)
        for place in range(self._read, len(events)):
            event = events[place]
            if event.type == EventType.STEP_LOG:
                self._lines += len(parse.logs([event]))
            elif event.type in _MOVING:
                self._places.append(place)
                self._printed.append(self._lines)
        self._read = len(events)

    def at(self, number: int) -> Moment | None:
        """Return a moment, the first or last when the number lies outside; ``None`` when there is none."""
        if not self._places:
            return None
        number = max(1, min(number, len(self._places)))
        view = self._view(number)
        if view is None:
            return None
        place = self._places[number - 1]
        return Moment(
            number=number,
            count=len(self._places),
            event=self._events[place],
            place=place,
            printed=self._printed[number - 1],
            since=self._events[place].timestamp - self._events[0].timestamp,
            view=view,
        )

    def at_event(self, place: int) -> int | None:
        """Return the number of the moment that an event belongs to: its own, or the last before it."""
        return bisect_right(self._places, place) or None

    def at_time(self, time: float) -> int:
        """Return the number of the last moment up to a time; the first when all are later."""
        return max(1, bisect_right(self._places, time, key=lambda place: self._events[place].timestamp))

    def _view(self, number: int) -> RunView | None:
        at, view = self._latest
        if at > number or number - at > EVERY:
            kept = min(number // EVERY, len(self._kept))
            at, view = (kept * EVERY, self._kept[kept - 1]) if kept else (0, None)
        while at < number:
            view = fold.apply(view, self._events[self._places[at]])
            at += 1
            if at == (len(self._kept) + 1) * EVERY:
                self._kept.append(view)
        self._latest = (at, view)
        return view


def whole(events: Sequence[TraceEvent]) -> bool:
    """Say whether the events of a run begin with its beginning: a rotated trace has lost it."""
    first = next(iter(events), None)
    return (
        first is not None
        and first.type == EventType.WORKFLOW_START
        and not {"retry", "resume"} & parse.meta(first).keys()
    )


def moment_text(moment: Moment, *, ascii: bool = False) -> str:  # noqa: A002
    """Return a moment in words: ``◂◂ 14/52  +1.234 s  step:complete payment``."""
    what = f"{moment.event.type} {moment.event.step_name or ''}".strip()
    since = f"+{duration_text(moment.since)}"
    return f"{MARK[ascii]} {moment.number}/{moment.count}  {since}  {printable(what)}"

"""The lines between two columns: a channel with one upright track for each net that changes rows.

This is channel routing as chip designers do it, turned by a quarter: a net's lines run from the left
to its track, along the track, and on to the right. Two nets that would share a piece of a row get
their tracks in the order that keeps them apart; where no order does, a net changes tracks along a
free row.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from flux_tui.model.raster import Flow, Raster

MANY_NETS = 24
ROOMY_TRACKS = 6


class End(Struct, frozen=True, gc=False):
    """An end of a net: its row, and the steps on that side (sources or targets, as a bit set).

    ``link`` is a number that two ends share, one net's target and another's source, which meet
    inside the channel; 0 for an end at the channel's side.
    """

    row: int
    steps: int
    link: int = 0
    arrow: bool = False


class Wire(Struct):
    """A net in rows. ``track`` counts from the left; straight wires keep ``-1``."""

    sources: list[End]
    targets: list[End]
    track: int = -1

    @property
    def rows(self) -> list[int]:
        """All rows on which something ends, in order."""
        return sorted({end.row for end in (*self.sources, *self.targets)})

    @property
    def straight(self) -> bool:
        """Whether the wire needs no track."""
        return len(self.rows) == 1 and not any(end.link for end in (*self.sources, *self.targets))


def everything(ends: Sequence[End]) -> int:
    """Return the union of the steps of several ends."""
    union = 0
    for end in ends:
        union |= end.steps
    return union


class Channel:
    """The routed lines between two columns. ``width`` is known at once; ``draw`` draws them."""

    def __init__(self, wires: Sequence[Wire], *, lead: int, straight: int) -> None:
        self._rows = {end.row for wire in wires for end in (*wire.sources, *wire.targets)}
        self._links = 0
        self._wires = list(wires)
        self._separate_shared_sources()
        self._wires = self._in_order()
        tracks = self._assign_tracks()
        self._lead = lead
        self._step = 2 if tracks <= ROOMY_TRACKS else 1
        self.width = lead + (tracks - 1) * self._step + 3 if tracks else straight

    def draw(self) -> Raster:
        """Return the lines on paper as wide as the channel."""
        paper = Raster(self.width)
        for wire in self._wires:
            self._draw(wire, paper)
        return paper

    def _free_row(self, near: int, toward: int) -> int:
        """Take the row nearest to ``near`` on which nothing ends, rather on the side of ``toward``."""
        side = 1 if toward >= near else -1
        step = 1
        while True:
            for row in (near + side * step, near - side * step):
                if row >= 0 and row not in self._rows:
                    self._rows.add(row)
                    return row
            step += 1

    def _separate_shared_sources(self) -> None:
        """Let a source that feeds several joins branch off before it reaches any of them.

        Otherwise a line into the first join would seem to go on along the source's row to the next.
        """
        stays = {
            wire.sources[0].row
            for wire in self._wires
            if len(wire.sources) == 1 and any(end.row == wire.sources[0].row for end in wire.targets)
        }
        joins: dict[int, list[Wire]] = {}
        for wire in self._wires:
            if len(wire.sources) > 1:
                for end in wire.sources:
                    joins.setdefault(end.row, []).append(wire)
        for row, fed in joins.items():
            apart = fed if row in stays else fed[:-1]
            if apart:
                self._wires.append(Wire([_end_on(row, apart[0])], [self._link(wire, row) for wire in apart]))

    def _link(self, join: Wire, row: int) -> End:
        """Move a source of a join to a free row; return the end that has to feed it there."""
        self._links += 1
        free = self._free_row(row, sum(join.rows) // len(join.rows))
        old = _end_on(row, join)
        join.sources[join.sources.index(old)] = End(free, old.steps, self._links)
        return End(free, everything(join.targets), self._links)

    def _in_order(self) -> list[Wire]:
        """Return the wires in an order of tracks that keeps them apart, splitting one where none does."""
        wires = list(self._wires)
        blockers = _blockers(wires)
        waiting, ordered = set(range(len(wires))), list[int]()
        costs: _Costs | None = None
        while waiting:
            free = [place for place in sorted(waiting) if blockers[place].isdisjoint(waiting)]
            if free:
                chosen = free[0]
                if len(waiting) <= MANY_NETS:
                    costs = costs or _Costs(wires, waiting)
                    chosen = costs.take_least(free)
                ordered.append(chosen)
                waiting.remove(chosen)
                continue
            whole = next(place for place in sorted(waiting) if not _is_half(wires[place]))
            wires[whole], rest = self._split(wires[whole])
            waiting.add(len(wires))
            wires.append(rest)
            blockers, costs = _blockers(wires), None
        return [wires[place] for place in ordered]

    def _split(self, wire: Wire) -> tuple[Wire, Wire]:
        """Break a wire in two that meet on a free row."""
        self._links += 1
        free = self._free_row(wire.sources[0].row, wire.targets[0].row)
        first = Wire(wire.sources, [End(free, everything(wire.targets), self._links)])
        return first, Wire([End(free, everything(wire.sources), self._links)], wire.targets)

    def _assign_tracks(self) -> int:
        """Give each wire the leftmost track that its blockers and its rows allow; return their number."""
        taken: list[list[tuple[int, int]]] = []
        for wire, blockers in zip(self._wires, _blockers(self._wires), strict=True):
            if wire.straight:
                continue
            first, last = wire.rows[0], wire.rows[-1]
            track = 1 + max((self._wires[place].track for place in blockers), default=-1)
            while track < len(taken) and any(first <= bottom and top <= last for top, bottom in taken[track]):
                track += 1
            while len(taken) <= track:
                taken.append([])
            taken[track].append((first, last))
            wire.track = track
        return len(taken)

    def _x(self, wire: Wire) -> int:
        return self._lead + wire.track * self._step

    def _draw(self, wire: Wire, paper: Raster) -> None:
        sources, targets = everything(wire.sources), everything(wire.targets)
        if wire.straight:
            paper.level(wire.rows[0], -1, self.width, (sources, targets))
            _draw_arrow(wire.targets[0], paper)
            return
        x = self._x(wire)
        for end in wire.sources:
            if not end.link:
                paper.level(end.row, -1, x, (end.steps, targets))
        for end in wire.targets:
            stop = self._x(self._consumer(end.link)) if end.link else self.width
            paper.level(end.row, x, stop, (sources, end.steps))
            _draw_arrow(end, paper)
        for end in (*wire.sources, *wire.targets):
            paper.joint(end.row, x)
        rows = wire.rows
        for top, bottom in pairwise(rows):
            paper.upright(x, top, bottom, tuple(_flows_between(wire, bottom)))

    def _consumer(self, link: int) -> Wire:
        return next(wire for wire in self._wires if any(end.link == link for end in wire.sources))


def _draw_arrow(end: End, paper: Raster) -> None:
    if end.arrow:
        paper.arrow(end.row)


def _end_on(row: int, wire: Wire) -> End:
    return next(end for end in wire.sources if end.row == row)


def _is_half(wire: Wire) -> bool:
    """Whether a wire starts or ends inside the channel altogether: splitting it would gain nothing."""
    return all(end.link for end in wire.targets) or all(end.link for end in wire.sources)


def _blockers(wires: Sequence[Wire]) -> list[set[int]]:
    """Return for each wire the places of those whose tracks have to be left of its own."""
    leaving: dict[int, set[int]] = {}
    feeding: dict[int, int] = {}
    for place, wire in enumerate(wires):
        for end in wire.sources:
            if not end.link:
                leaving.setdefault(end.row, set()).add(place)
        for end in wire.targets:
            if end.link:
                feeding[end.link] = place
    found: list[set[int]] = []
    for place, wire in enumerate(wires):
        before = {feeding[end.link] for end in wire.sources if end.link}
        for end in wire.targets:
            if not end.link:
                before |= leaving.get(end.row, set())
        if len(wire.sources) > 1:
            shared = {other for end in wire.sources if not end.link for other in leaving[end.row]}
            before |= {other for other in shared if len(wires[other].sources) == 1}
        found.append(before - {place})
    return found


class _Costs:
    """How many crossings it costs to give a wire the next track, before all the others that wait."""

    def __init__(self, wires: Sequence[Wire], waiting: Iterable[int]) -> None:
        self._spans = {place: _span(wires[place]) for place in waiting}
        self._sums = {
            place: sum(_cost(span, other) for other in self._spans.values())
            for place, span in self._spans.items()
        }

    def take_least(self, free: Sequence[int]) -> int:
        """Take the one of ``free`` that costs least, the first of several, out of those that wait."""
        chosen = min(free, key=lambda place: (self._sums[place], place))
        taken = self._spans.pop(chosen)
        for place, span in self._spans.items():
            self._sums[place] -= _cost(span, taken)
        return chosen


_Span = tuple[int, int, list[int], list[int]]


def _span(wire: Wire) -> _Span:
    """Return the first and last row of a wire, and the rows of its sources and of its targets."""
    rows = wire.rows
    return rows[0], rows[-1], [end.row for end in wire.sources], [end.row for end in wire.targets]


def _cost(left: _Span, right: _Span) -> int:
    """Count how many more crossings there are with ``left`` before ``right`` than the other way."""
    return _crossings(left, right) - _crossings(right, left)


def _crossings(left: _Span, right: _Span) -> int:
    if left[1] < right[0] or right[1] < left[0]:
        return 0
    count = 0
    for row in right[2]:
        count += left[0] <= row <= left[1]
    for row in left[3]:
        count += right[0] <= row <= right[1]
    return count


def _flows_between(wire: Wire, bottom: int) -> Iterator[Flow]:
    """Yield the flows along the track just above row ``bottom``, downward and upward."""
    for heads, tails in ((wire.sources, wire.targets), (wire.targets, wire.sources)):
        upper = everything([end for end in heads if end.row < bottom])
        lower = everything([end for end in tails if end.row >= bottom])
        if upper and lower:
            yield (upper, lower) if heads is wire.sources else (lower, upper)
